/**
 * A client that another tool generates from the OpenAPI document. The tool comes from the npm
 * registry; without it the test is skipped.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { parseNodeConfig } from '../../edge-api/node/config.ts'
import { startNodeServer, type NodeServer } from '../../edge-api/node/server.ts'
import { ROOT } from '../support/imports.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { addQuotes, addSymbol, startEdge } from './support.ts'

const TYPESCRIPT = ['openapi-typescript@7.13.0', 'openapi-fetch@0.17.0', 'typescript@5.9.3']
const LIMITS = { timeout: 480_000, maxBuffer: 64 << 20 }

const run = promisify(execFile)
const dir = await mkdtemp(join(tmpdir(), 'booktape-generated-'))
const edge = await startEdge()
let server: NodeServer

beforeAll(async () => {
  const id = await addSymbol(edge.pool, 'BTCUSDT')
  await addQuotes(edge.pool, id, [[new Date().toISOString(), 1, 61800.2, 61800.3, 0.5, 12]])
  const { assets_dir } = await workerBundle()
  const config = parseNodeConfig({ PORT: '0' })
  server = await startNodeServer(config, edge.bindings, assets_dir, silentLogger)
  const document = await (await fetch(`${server.url}/openapi.json`)).text()
  await writeFile(join(dir, 'openapi.json'), document)
})
afterAll(async () => {
  server?.http.closeAllConnections()
  server?.http.close()
  await rm(dir, { recursive: true, force: true })
})

/** False if the tool cannot be installed here. */
async function installs(command: string, args: readonly string[], cwd: string): Promise<boolean> {
  return run(command, [...args], { cwd, ...LIMITS }).then(
    () => true,
    () => false,
  )
}

test('openapi-typescript: its types compile strictly, and its client answers', async (context) => {
  const cwd = join(dir, 'typescript')
  await mkdir(cwd)
  await writeFile(join(cwd, 'package.json'), '{ "type": "module" }')
  const flags = ['--no-audit', '--no-fund']
  const has_tool = await installs('npm', ['install', ...TYPESCRIPT, ...flags], cwd)
  context.skip(!has_tool, 'The npm registry does not answer.')
  const bin = join(cwd, 'node_modules/.bin')
  await run(join(bin, 'openapi-typescript'), ['../openapi.json', '-o', 'api.ts'], {
    cwd,
    ...LIMITS,
  })
  await writeFile(
    join(cwd, 'program.ts'),
    `import createClient from 'openapi-fetch'
import type { paths } from './api.js'
const client = createClient<paths>({ baseUrl: process.argv[2]! })
const { data } = await client.GET('/v1/quotes/{symbol}/latest', {
  params: { path: { symbol: 'BTCUSDT' } },
})
const mid: string | null | undefined = data?.mid
console.log(mid)
`,
  )
  const flags_of_tsc =
    '--strict --target es2022 --module nodenext --skipLibCheck false --lib es2022,dom,dom.iterable'
  await writeFile(
    join(cwd, 'process.d.ts'),
    'declare const process: { readonly argv: readonly string[] }',
  )
  const files = ['program.ts', 'process.d.ts']
  // The generator needs TypeScript 5's API. Its output must suit the compiler of this repository
  // too.
  for (const tsc of [join(bin, 'tsc'), join(ROOT, 'node_modules/.bin/tsc')]) {
    await run(tsc, [...flags_of_tsc.split(' '), ...files], { cwd, ...LIMITS })
  }
  const { stdout } = await run(process.execPath, ['program.js', server.url], { cwd })
  expect(stdout.trim()).toBe('61800.250')
})
