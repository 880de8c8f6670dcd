/**
 * Clients that other tools generate from the OpenAPI document. The tools come from the npm
 * registry; without it the tests are skipped. Crates come from Debian's packages
 * (librust-reqwest-dev, librust-tokio-dev), modules of Python too (python3-urllib3, -certifi).
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { parseNodeConfig } from '../../edge-api/node/config.ts'
import { startNodeServer, type NodeServer } from '../../edge-api/node/server.ts'
import { ROOT } from '../support/imports.ts'
import { hasPython, python } from '../support/python.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { withoutNewWords } from './generated/openapi-3-0.ts'
import { addQuotes, addSymbol, startEdge } from './support.ts'

/** Not a whole second, so that every language prints it with the same digits. */
const newest_ms = Math.floor(Date.now() / 1_000) * 1_000 - 877
const from = new Date(newest_ms - 60_000).toISOString()

const TYPESCRIPT = ['openapi-typescript@7.13.0', 'openapi-fetch@0.17.0', 'typescript@5.9.3']
// The newest OpenAPI Generator whose program is in the npm registry. It knows OpenAPI 3.0.
const GENERATOR = [
  '@openapitools/openapi-generator-cli@1.0.18-5.0.0-beta2',
  '@apiture/openapi-down-convert@0.14.2',
]
const PROGRAMS = join(import.meta.dirname, 'generated')
const CRATES = '/usr/share/cargo/registry'
/** What each program prints. An id has more than 32 bits, and a time needs a double. */
const ANSWERS = [
  'mid 61800.250',
  'ids 5000000001 5000000002',
  'ids 5000000003',
  `seconds ${newest_ms / 1_000}`,
  'problem 404 urn:booktape:problem:unknown_symbol',
]
const RUST_MANIFEST = `[package]
name = "program"
version = "1.0.0"
edition = "2021"
[[bin]]
name = "program"
path = "program.rs"
[dependencies]
booktape_client = { path = "../client" }
tokio = { version = "1", features = ["macros", "rt"] }
url = "2"
`
const CARGO_CONFIG = `[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "${CRATES}"
`
const LIMITS = { timeout: 480_000, maxBuffer: 64 << 20 }

const run = promisify(execFile)
const dir = await mkdtemp(join(tmpdir(), 'booktape-generated-'))
const edge = await startEdge()
let server: NodeServer

beforeAll(async () => {
  const id = await addSymbol(edge.pool, 'BTCUSDT')
  const quotes = [2, 1, 0].map((age_s, i) => {
    const time = new Date(newest_ms - age_s * 1_000).toISOString()
    return [time, 5_000_000_001 + i, 61800 + i / 10, 61800.3, 0.5, 12] as const
  })
  await addQuotes(edge.pool, id, quotes)
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

/** False if the command fails: the tool is not here, or cannot be installed. */
async function works(command: string, args: readonly string[], cwd = dir): Promise<boolean> {
  return run(command, [...args], { cwd, ...LIMITS }).then(
    () => true,
    () => false,
  )
}

async function installs(packages: readonly string[], cwd: string): Promise<boolean> {
  return works('npm', ['install', ...packages, '--no-audit', '--no-fund'], cwd)
}

/** The client in `language`, in the returned folder. Undefined without the npm registry. */
async function generate(language: string, any_type: string): Promise<string | undefined> {
  const cwd = join(dir, language)
  await mkdir(cwd)
  await writeFile(join(cwd, 'package.json'), '{}')
  if (!(await installs(GENERATOR, cwd))) return undefined
  const convert = ['--input', '../openapi.json', '--output', 'openapi-3.0.json']
  await run('node_modules/.bin/openapi-down-convert', convert, { cwd, ...LIMITS })
  const document = join(cwd, 'openapi-3.0.json')
  await writeFile(document, withoutNewWords(await readFile(document, 'utf8')))
  const jar = 'node_modules/@openapitools/openapi-generator-cli/bin/openapi-generator.jar'
  const names = ['--additional-properties=packageName=booktape_client', '-o', 'client']
  const types = ['--type-mappings', `AnyType=${any_type}`]
  const args = ['-jar', jar, 'generate', '-i', document, '-g', language, ...names, ...types]
  await run('java', args, { cwd, ...LIMITS })
  return join(cwd, 'client')
}

test('openapi-typescript: its types compile strictly, and its client answers', async (context) => {
  const cwd = join(dir, 'typescript')
  await mkdir(cwd)
  await writeFile(join(cwd, 'package.json'), '{ "type": "module" }')
  const has_tool = await installs(TYPESCRIPT, cwd)
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

test('OpenAPI Generator: its Python client reads a quote, pages and an error', async (context) => {
  context.skip(!(await works('java', ['-version'])), 'Java is not installed.')
  const has_modules = hasPython('urllib3', 'certifi', 'dateutil', 'six')
  context.skip(!has_modules, 'python3 with urllib3, certifi, dateutil and six is not installed.')
  const client = await generate('python', 'object')
  context.skip(client === undefined, 'The npm registry does not answer.')
  await python(['-m', 'compileall', '-q', client!])
  const program = [join(PROGRAMS, 'program.py'), server.url, from]
  const printed = await python(program, { PYTHONPATH: client })
  expect(printed.trim().split('\n')).toEqual(ANSWERS)
})

test('OpenAPI Generator: its Rust client reads a quote, pages and an error', async (context) => {
  context.skip(!(await works('java', ['-version'])), 'Java is not installed.')
  context.skip(!(await works('cargo', ['--version'])), 'Cargo is not installed.')
  const crates = await readdir(CRATES).catch(() => [])
  const has_crates = ['reqwest-0.11.', 'tokio-1.', 'tokio-macros-1.'].every((name) =>
    crates.some((crate) => crate.startsWith(name)),
  )
  context.skip(!has_crates, 'librust-reqwest-dev and librust-tokio-dev are not installed.')
  const client = await generate('rust', 'serde_json::Value')
  context.skip(client === undefined, 'The npm registry does not answer.')
  // The generator is older than Debian's crates.
  const manifest = join(client!, 'Cargo.toml')
  const text = await readFile(manifest, 'utf8')
  await writeFile(manifest, text.replace('url = "1.5"', 'url = "2"').replace('^0.10', '^0.11'))
  const cwd = join(dir, 'rust', 'program')
  await mkdir(join(cwd, '.cargo'), { recursive: true })
  await writeFile(join(cwd, 'Cargo.toml'), RUST_MANIFEST)
  await writeFile(join(cwd, '.cargo', 'config.toml'), CARGO_CONFIG)
  await copyFile(join(PROGRAMS, 'program.rs'), join(cwd, 'program.rs'))
  await run('cargo', ['build', '--offline', '--quiet'], { cwd, ...LIMITS })
  const { stdout } = await run('target/debug/program', [server.url, from], { cwd, ...LIMITS })
  expect(stdout.trim().split('\n')).toEqual(ANSWERS)
})
