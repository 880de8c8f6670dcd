/** The packed client in an empty project: installed, compiled, run in Node and in a browser. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { parseNodeConfig } from '../../../edge-api/node/config.ts'
import { startNodeServer, type NodeServer } from '../../../edge-api/node/server.ts'
import { has_chromium, launchChromium } from '../../support/chromium.ts'
import { ROOT } from '../../support/imports.ts'
import { workerBundle } from '../../support/worker-bundle.ts'
import {
  addQuotes,
  addSymbol,
  addTrades,
  publish,
  setLatest,
  sha256,
  startEdge,
} from '../support.ts'

const run = promisify(execFile)
const dir = await mkdtemp(join(tmpdir(), 'booktape-empty-'))
const edge = await startEdge()
const bytes = Uint8Array.from({ length: 50_000 }, (_, i) => i & 255)
let server: NodeServer

/** A program that uses every part of the package, with types that are not `any`. */
const PROGRAM = `
import { ApiError, createClient, type LatestQuote } from 'booktape-client'
import { downloadTo } from 'booktape-client/node'

const client = createClient({ url: process.env['EDGE']!, retries: 1 })
const quote: LatestQuote = await client.get('/v1/quotes/{symbol}/latest', { symbol: 'BTCUSDT' })
const { symbols } = await client.get('/v1/symbols')
const names: readonly string[] = symbols.map(({ symbol }) => symbol)
const ids: number[] = []
for await (const trade of client.rows('/v1/trades/{symbol}', { symbol: 'BTCUSDT', limit: 2 })) {
  ids.push(trade.agg_trade_id)
}
let prices: unknown
for await (const table of client.tables('/v1/trades/{symbol}', { symbol: 'BTCUSDT' })) {
  prices = Array.from(table.column('price') as Float64Array)
}
const code = await client.get('/v1/book/{symbol}', { symbol: 'NOUSDT' }).then(
  () => 'none',
  (error: unknown) => (error instanceof ApiError ? error.code : String(error)),
)
const file = await downloadTo(client, 'day.parquet', {
  dataset: 'features_1s', date: '2024-08-07', format: 'parquet',
})
console.log(JSON.stringify({ mid: quote.mid, names, ids, prices, code, sha256: file.sha256 }))
`

beforeAll(async () => {
  const id = await addSymbol(edge.pool, 'BTCUSDT')
  const now = new Date().toISOString()
  await addQuotes(edge.pool, id, [[now, 1, 61800.2, 61800.3, 0.5, 12]])
  await addTrades(
    edge.pool,
    id,
    [1, 2, 3, 4, 5].map((n) => [now, n, 61800.2 + n, 0.005] as const),
  )
  await setLatest(edge.store, await publish(edge.store, 'features_1s', '2024-08-07', { bytes }))
  const { assets_dir } = await workerBundle()
  server = await startNodeServer(
    parseNodeConfig({ PORT: '0' }),
    edge.bindings,
    assets_dir,
    silentLogger,
  )
  const client_dir = join(ROOT, 'edge-api/client')
  await run('npm', ['pack', '--pack-destination', dir], { cwd: client_dir })
  const [packed] = (await readdir(dir)).filter((name) => name.endsWith('.tgz'))
  await writeFile(join(dir, 'package.json'), '{ "type": "module", "private": true }')
  const flags = ['--no-audit', '--no-fund', '--offline']
  await run('npm', ['install', `./${packed}`, ...flags], { cwd: dir })
})
afterAll(async () => {
  server?.http.closeAllConnections()
  server?.http.close()
  await rm(dir, { recursive: true })
})

test('it has its modules, types, README and notice, and nothing else of ours or of others', async () => {
  expect(await readdir(join(dir, 'node_modules'))).toEqual([
    '.package-lock.json',
    'booktape-client',
  ])
  const package_dir = join(dir, 'node_modules/booktape-client')
  expect(await readdir(package_dir)).toEqual(['NOTICE.txt', 'README.md', 'dist', 'package.json'])
  const names = await readdir(join(package_dir, 'dist'))
  expect(names.filter((name) => !/\.(js|d\.ts)$/.test(name))).toEqual([])
  const texts = await Promise.all(
    names.map((name) => readFile(join(package_dir, 'dist', name), 'utf8')),
  )
  expect(texts.join('\n')).not.toMatch(/\bzod\b|from ["']#core/)
  const text_bytes = Buffer.byteLength(await readFile(join(package_dir, 'dist/index.js')))
  expect(text_bytes).toBeLessThan(30_000)
})

test('a program with it compiles strictly and runs in Node', async () => {
  await writeFile(join(dir, 'program.ts'), PROGRAM)
  const compilerOptions = {
    target: 'ES2024',
    module: 'nodenext',
    lib: ['ES2024', 'DOM', 'DOM.AsyncIterable'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  }
  await writeFile(
    join(dir, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['program.ts'] }),
  )
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  await run(process.execPath, [join(typescript, 'bin/tsc'), '-p', '.'], { cwd: dir })
  const env = { ...process.env, EDGE: server.url }
  const { stdout } = await run(process.execPath, ['program.js'], { cwd: dir, env })
  expect(JSON.parse(stdout)).toEqual({
    mid: '61800.250',
    names: ['BTCUSDT'],
    ids: [1, 2, 3, 4, 5],
    prices: [61801.2, 61802.2, 61803.2, 61804.2, 61805.2],
    code: 'unknown_symbol',
    sha256: sha256(bytes),
  })
})

// Needs a browser: `apt-get install chromium`. Without one this test is skipped.
test.skipIf(!has_chromium)('it runs in a browser, from another origin', async () => {
  const entry = `
    import { createClient } from 'booktape-client'
    const client = createClient({ url: ${JSON.stringify(server.url)} })
    const quote = await client.get('/v1/quotes/{symbol}/latest', { symbol: 'BTCUSDT' })
    let count = 0
    for await (const table of client.tables('/v1/trades/{symbol}', { symbol: 'BTCUSDT', limit: 2 })) {
      count += table.row_count
    }
    document.title = quote.mid + ' ' + count`
  await mkdir(join(dir, 'page'))
  await writeFile(join(dir, 'page/entry.js'), entry)
  const { outputFiles } = await build({
    entryPoints: [join(dir, 'page/entry.js')],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
  })
  const page_server = createServer((request, response) => {
    const is_script = request.url === '/entry.js'
    response.setHeader('content-type', is_script ? 'text/javascript' : 'text/html')
    response.end(
      is_script ? outputFiles[0]!.text : '<script type="module" src="/entry.js"></script>',
    )
  })
  await new Promise<void>((resolve) => page_server.listen(0, '127.0.0.1', resolve))
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${(page_server.address() as AddressInfo).port}/`)
    await expect.poll(() => page.title()).toBe('61800.250 5')
  } finally {
    await browser.close()
    page_server.closeAllConnections()
    page_server.close()
  }
})
