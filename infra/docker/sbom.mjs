/**
 * Prints the software bill of materials of the image (CycloneDX): the packages in node_modules, and
 * Node itself. It runs in the image's build, where package.json is a copy: npm reports what a
 * package.json asks for and node_modules lacks, and `npm sbom --omit dev` also leaves out packages
 * that a development dependency shares.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const { devDependencies: _, ...production } = JSON.parse(readFileSync('package.json', 'utf8'))
writeFileSync('package.json', JSON.stringify(production))
const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application']
const bom = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' }))
bom.metadata.component.name = 'booktape'
bom.components.push({
  'bom-ref': `node@${process.versions.node}`,
  type: 'platform',
  name: 'node',
  version: process.versions.node,
  purl: `pkg:generic/node@${process.versions.node}`,
})
process.stdout.write(`${JSON.stringify(bom, null, 2)}\n`)
