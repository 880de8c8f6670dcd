/**
 * booktape.py as a user runs it: Debian's python3 against the real edge, a real day, and an object
 * store that answers slowly, cuts connections and serves changed bytes.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { serve, type ServerType } from '@hono/node-server'
import type { AddressInfo } from 'node:net'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Manifest } from '#core/dataset.ts'
import { silentLogger } from '#core/node/log.ts'
import { datasetFileKey } from '#core/object-keys.ts'
import { fromMillis, parseDay } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { runDatasets } from '../../jobs/datasets/run-datasets.ts'
import { runFeatures } from '../../jobs/datasets/run-features.ts'
import { insertGap, insertQuotes, insertSymbols } from '../jobs/market.ts'
import { NOON } from '../jobs/stand.ts'
import { loadWalk } from '../jobs/walk.ts'
import { readManifest, versionOf } from '../support/published.ts'
import { hasPython, python } from '../support/python.ts'
import { type FaultyStore, openFaultyStore } from './python/faulty-store.ts'
import { startEdge } from './support.ts'

const MODULE_DIR = fileURLToPath(new URL('../../edge-api/python/', import.meta.url))
const DATE = '2024-08-09'
const MIDNIGHT = Date.parse(`${DATE}T00:00:00Z`) * 1_000
const has_python = hasPython()
const has_pandas = hasPython('pandas', 'numpy')
const no_python = 'python3 3.9 is not installed'
const no_pandas = 'python3-pandas is not installed'

const dir = await mkdtemp(join(tmpdir(), 'booktape-python-'))
let store: FaultyStore
let server: ServerType
let env: Record<string, string>
let manifest: Manifest
let features: Uint8Array

beforeAll(async () => {
  if (!has_python) return
  const edge = await startEdge()
  await insertSymbols(edge.pool, ['BTCUSDT', 'ETHUSDT', 'ZECUSDT'])
  const times = { midnight: MIDNIGHT, pieces_s: [36_000], piece_s: 240 }
  await loadWalk(edge.pool, 'BTCUSDT', 1, times)
  await loadWalk(edge.pool, 'ETHUSDT', 2, times)
  // ZECUSDT has a known quote all day.
  const ends = [-1, 86_399].map((s, i) => {
    const [bid, ask] = [30 + i, 30.5 + i]
    return {
      symbol: 'ZECUSDT',
      ts: MIDNIGHT + s * 1e6,
      id: i + 1,
      bid,
      bid_qty: 1,
      ask,
      ask_qty: 2,
    }
  })
  await insertQuotes(edge.pool, ends)
  const gap_from = MIDNIGHT + 36_060e6
  const gap = {
    symbol: 'ETHUSDT',
    channel: 'trades',
    from_ts: gap_from,
    to_ts: gap_from + 20e6,
  } as const
  await insertGap(edge.pool, gap)
  const job = {
    pool: edge.pool,
    store: edge.store,
    date: parseDay(DATE)!,
    work_dir: join(dir, 'work'),
    log: silentLogger,
    now: () => NOON,
  }
  await runFeatures({ ...job, thread_count: 0, symbols_100ms: [] })
  await runDatasets(job)
  manifest = (await readManifest(edge.store, 'features_1s', versionOf('features_1s'), DATE))!
  const key = datasetFileKey(manifest, parseDay(DATE)!, 'features_1s.parquet')
  features = (await edge.store.get(key))!
  store = await openFaultyStore(edge.bindings['S3_ENDPOINT']!)
  const app = composeApp(
    { ...edge.bindings, S3_ENDPOINT: store.endpoint },
    { now: () => fromMillis(Date.now()), report: (error) => expect(error).toBeUndefined() },
  )
  server = serve({ fetch: (request) => app.fetch(request), port: 0, hostname: '127.0.0.1' })
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  env = {
    BOOKTAPE_URL: `http://127.0.0.1:${port}`,
    PYTHONPATH: MODULE_DIR,
    PYTHONDONTWRITEBYTECODE: '1',
  }
})
afterAll(async () => {
  await store?.close()
  await new Promise<void>((resolve) =>
    server === undefined ? resolve() : server.close(() => resolve()),
  )
  await rm(dir, { recursive: true })
})
beforeEach(() => store?.set({ kind: 'none' }))

let cache_count = 0

/** The JSON that a program prints last. A fresh cache unless named. */
async function run<T>(code: string, cache = `cache-${++cache_count}`): Promise<T> {
  const program = `import json, booktape\n${code}`
  const printed = await python(['-c', program], { ...env, BOOKTAPE_CACHE: join(dir, cache) })
  return JSON.parse(printed.trim().split('\n').at(-1)!) as T
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const DOWNLOAD = `paths = booktape.download("features_1s", "${DATE}")\nprint(json.dumps([str(path) for path in paths]))`

async function expectFeatures(paths: readonly string[]): Promise<void> {
  const path = paths.find((one) => one.endsWith('features_1s.parquet'))!
  expect(sha256(await readFile(path))).toBe(sha256(features))
  const left = (await readdir(join(path, '..'))).filter((name) => name.endsWith('.part'))
  expect(left).toEqual([])
}

test.skipIf(!has_python)(`datasets and days are listed (skipped where ${no_python})`, async () => {
  const found = await run<[string[], string[], string]>(
    'print(json.dumps([[d.name for d in booktape.datasets()], booktape.dates("features_1s"),' +
      ' booktape.manifest("features_1s")["date"]]))',
  )
  expect(found[0]).toEqual(expect.arrayContaining(['candles', 'features_1s', 'trades']))
  expect(found.slice(1)).toEqual([[DATE], DATE])
})

test.skipIf(!has_python)('every file of a day arrives whole, several at once', async () => {
  const seen = await run<{ paths: string[]; last: number[]; files: number }>(`
seen = []
paths = booktape.download("trades", "yesterday", formats=("parquet", "csv.gz"), progress=seen.append)
print(json.dumps({"paths": list(map(str, paths)), "files": len({p.file for p in seen}),
                  "last": [seen[-1].bytes, seen[-1].total]}))`)
  expect(seen.paths.map((path) => path.split('/').at(-1)).toSorted()).toEqual([
    `binance-futures_trades_${DATE}_BTCUSDT.csv.gz`,
    `binance-futures_trades_${DATE}_ETHUSDT.csv.gz`,
    'coverage.parquet',
    'trades.parquet',
  ])
  expect(seen.files).toBe(4)
  expect(seen.last[0]).toBe(seen.last[1])
})

test.skipIf(!has_python)('cut connections: continues where it stopped', async () => {
  const bytes = Math.ceil(features.length / 7)
  store.set({ kind: 'cut', bytes })
  await expectFeatures(
    await run<string[]>(DOWNLOAD.replace(`"${DATE}"`, `"${DATE}", files=["features_1s.parquet"]`)),
  )
  const ranges = store.requests.map(({ range }) => range)
  expect(ranges).toEqual([undefined, ...[1, 2, 3, 4, 5, 6].map((n) => `bytes=${n * bytes}-`)])
  expect(store.requests.reduce((sum, { sent_bytes }) => sum + sent_bytes, 0)).toBe(features.length)
})

test.skipIf(!has_python)('a program that was killed: the next one continues its part', async () => {
  store.set({ kind: 'stall', bytes: 50_000, times: 1 })
  const program = `import os, booktape
booktape.Client().download("features_1s", "${DATE}", files=["features_1s.parquet"],
    progress=lambda now: os._exit(7) if now.bytes >= 50_000 else None)`
  const at = { ...env, BOOKTAPE_CACHE: join(dir, 'killed') }
  await expect(python(['-c', program], at)).rejects.toMatchObject({ code: 7 })
  await expectFeatures(await run<string[]>(DOWNLOAD, 'killed'))
  const resumed = store.requests.find(({ range }) => range !== undefined)!
  expect(Number(/^bytes=(\d+)-$/.exec(resumed.range!)![1])).toBeGreaterThan(0)
})

test.skipIf(!has_python)('a slow store, one that stalls, and one whose URL expires', async () => {
  store.set({ kind: 'slow', bytes: Math.ceil(features.length / 60) })
  await expectFeatures(await run<string[]>(DOWNLOAD))
  store.set({ kind: 'stall', bytes: 1_000, times: 2 })
  await expectFeatures(
    await run<string[]>(
      DOWNLOAD.replace('booktape.download', 'booktape.Client(timeout_s=0.3).download'),
    ),
  )
  store.set({ kind: 'expired', times: 2 })
  await expectFeatures(await run<string[]>(DOWNLOAD))
  // Two files, and twice a URL that had expired.
  expect(store.requests).toHaveLength(4)
})

test.skipIf(!has_python)('a store without ranges: begins again, and is right', async () => {
  store.set({ kind: 'no-ranges', bytes: 1_000, times: 3 })
  await expectFeatures(await run<string[]>(DOWNLOAD))
  expect(store.requests.length).toBeGreaterThanOrEqual(4)
})

test.skipIf(!has_python)('a damaged file is fetched again; twice damaged is an error', async () => {
  store.set({ kind: 'damage', times: 1 })
  await expectFeatures(await run<string[]>(DOWNLOAD))
  store.set({ kind: 'damage', times: 1_000 })
  const found = await run<{ error: string; files: string[] }>(
    `import os
try:
    booktape.download("features_1s", "${DATE}", files=["features_1s.parquet"])
except booktape.ChecksumError as error:
    files = [name for _, _, names in os.walk(os.environ["BOOKTAPE_CACHE"]) for name in names]
    print(json.dumps({"error": str(error), "files": files}))`,
  )
  expect(found.error).toContain(sha256(features))
  expect(found.files).toEqual([])
})

test.skipIf(!has_python)(
  'a store that never sends a byte: an error that says where it stopped',
  async () => {
    store.set({ kind: 'cut', bytes: 0 })
    const error = await run<string>(`
try:
    booktape.Client(retries=2).download("features_1s", "${DATE}")
except booktape.DownloadError as error:
    print(json.dumps(str(error)))`)
    expect(error).toMatch(/features_1s\.parquet|coverage\.parquet/)
    expect(error).toContain('stopped at 0 of')
  },
)

test.skipIf(!has_python)(
  'a file of an older build is replaced, one that is right is kept',
  async () => {
    const to = join(dir, 'mine')
    const code = `paths = booktape.download("features_1s", "${DATE}", to="${to}", files=["features_1s.parquet"])
print(json.dumps(str(paths[0])))`
    const path = await run<string>(code)
    expect(path).toBe(join(to, 'features_1s', DATE, 'features_1s.parquet'))
    await writeFile(path, Buffer.alloc(features.length))
    await run<string>(code)
    expect(sha256(await readFile(path))).toBe(sha256(features))
    store.set({ kind: 'cut', bytes: 0 })
    await run<string>(code)
    expect(store.requests).toEqual([])
  },
)

test.skipIf(!has_python)(
  'a full disk is no reason to ask again, and the part holds what arrived',
  async () => {
    const found = await run<{ said: string; part: number; paths: string[] }>(`
import os, pathlib, resource
client = booktape.Client()
options = {"files": ["features_1s.parquet"]}
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (${Math.floor(features.length / 2)} + 77, limit[1]))
try:
    client.download("features_1s", "${DATE}", **options)
except booktape.DownloadError as error:
    said = str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
(part,) = pathlib.Path(os.environ["BOOKTAPE_CACHE"]).rglob("*.part")
size = part.stat().st_size
paths = [str(path) for path in client.download("features_1s", "${DATE}", **options)]
print(json.dumps({"said": said, "part": size, "paths": paths}))`)
    expect(found.said).toMatch(
      new RegExp(`cannot be written: .*File too large\\. ${found.part} of ${features.length}`),
    )
    await expectFeatures(found.paths)
    expect(store.requests.map(({ range }) => range)).toEqual([undefined, `bytes=${found.part}-`])
  },
)

test.skipIf(!has_python)('Ctrl-C ends a download from a silent store at once', async () => {
  store.set({ kind: 'stall', bytes: 50_000, times: 99 })
  const elapsed = await run<number>(`
import os, signal, time
began = []
def arrived(now):
    if now.bytes >= 50_000:
        began.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
try:
    booktape.download("features_1s", "${DATE}", files=["features_1s.parquet"], progress=arrived)
except KeyboardInterrupt:
    print(json.dumps(time.monotonic() - began[0]))`)
  // Without it, the thread would wait for the 30 s of timeout_s.
  expect(elapsed).toBeLessThan(15)
})

test.skipIf(!has_python)('what is missing is said, by symbol, with gaps', async () => {
  const found = await run<Record<string, string[]>>(`
def said(**options):
    return [str(one) for one in booktape.missing(**options)]
print(json.dumps({
    "trades": said(dataset="trades", days="${DATE}", symbols=["ETHUSDT"]),
    "nothing": said(dataset="features_1s", days="${DATE}", symbols=["ZECUSDT"]),
    "yesterday": said(dataset="features_1s", symbols=["ZECUSDT"]),
    "absent": said(dataset="features_1s", days=["${DATE}", "2024-08-10"], symbols=["ZECUSDT"]),
    "symbol": said(dataset="features_1s", days="${DATE}", symbols=["DOGEUSDT"]),
    "exchange": said(dataset="features_1s", days="${DATE}", exchange="binance"),
    "range": said(dataset="features_1s", days="${DATE}..yesterday", symbols=["ZECUSDT"]),
}))`)
  const eth = manifest.coverage.find(({ symbol }) => symbol === 'ETHUSDT')!
  expect(found['trades']![0]).toMatch(
    /^trades 2024-08-09 binance-futures ETHUSDT: \d+ of 86400 s missing; trades 2024-08-09T10:01:00\S* to 2024-08-09T10:01:20\S* \(disconnect\)$/,
  )
  expect(eth.missing_s).toBeGreaterThan(0)
  expect(found['nothing']).toEqual([])
  expect(found['yesterday']).toEqual([
    expect.stringMatching(
      /^features_1s \S+: not published; the newest complete day is 2024-08-09$/,
    ),
  ])
  expect(found['absent']).toEqual(['features_1s 2024-08-10: not published'])
  expect(found['symbol']).toEqual(['features_1s 2024-08-09 DOGEUSDT: not in the dataset'])
  expect(found['exchange']).toEqual(['features_1s 2024-08-09 binance: not in the dataset'])
  expect(found['range']).toEqual(found['yesterday'])
})

test.skipIf(!has_python)('require_complete raises before anything is downloaded', async () => {
  const found = await run<{ text: string; symbols: string[] }>(`
try:
    booktape.download("features_1s", "${DATE}", require_complete=True)
except booktape.IncompleteError as error:
    print(json.dumps({"text": str(error), "symbols": [one.symbol for one in error.missing]}))`)
  expect(found.symbols).toEqual(['BTCUSDT', 'ETHUSDT'])
  expect(found.text).toContain('of 86400 s missing')
  expect(store.requests).toEqual([])
})

test.skipIf(!has_python)('wrong names are answered with what is meant', async () => {
  const said = await run<string[]>(`
def error(call):
    try:
        call()
    except (booktape.BooktapeError, ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
print(json.dumps([
    error(lambda: booktape.download("feature_1s")),
    error(lambda: booktape.download("features_1s", "2024-08-10")),
    error(lambda: booktape.download("features_1s", "09.08.2024")),
    error(lambda: booktape.download("features_1s", "2024-08-09..2024-08-01")),
    error(lambda: booktape.download("features_1s", "${DATE}", files=["../x.parquet"])),
    error(lambda: booktape.download("features_1s", "${DATE}", formats=["csv"])),
    error(lambda: booktape.download("features_1s", [])),
    error(lambda: booktape.missing("features_1s", "${DATE}", symbols="BTCUSDT")),
    error(lambda: booktape.missing("features_1s", "${DATE}", symbols=[])),
    error(lambda: booktape.dates("feature_1s")),
    error(lambda: booktape.Client("127.0.0.1:1")),
]))`)
  expect(said[0]).toMatch(/^NotPublished: No dataset 'feature_1s' .* Did you mean features_1s/)
  expect(said[1]).toBe(
    'NotPublished: features_1s is not published for 2024-08-10. It has 1 days, from 2024-08-09 to 2024-08-09.',
  )
  expect(said[2]).toContain('is no day')
  expect(said[3]).toContain('ends before it begins')
  expect(said[4]).toContain('has no file ../x.parquet')
  expect(said[5]).toContain("no file of the format 'csv'. It has arrow, parquet.")
  expect(said.slice(6, 9)).toEqual([
    'ValueError: days is empty: name at least one',
    "TypeError: symbols is a list: symbols=['BTCUSDT']",
    'ValueError: symbols is empty: name at least one, or leave it out',
  ])
  expect(said[9]).toMatch(/^NotPublished: No dataset 'feature_1s' .* Did you mean features_1s/)
  expect(said[10]).toContain('is no address of an edge API')
})

test.skipIf(!has_python)(
  'the command line lists, says what is missing, and downloads',
  async () => {
    const file = join(MODULE_DIR, 'booktape.py')
    const at = { ...env, BOOKTAPE_CACHE: join(dir, 'cli') }
    expect(await python([file, 'list'], at)).toMatch(
      /^features_1s +2024-08-09 to 2024-08-09, 1 days$/m,
    )
    expect(await python([file, 'missing', 'features_1s', DATE, '--symbols', 'ZECUSDT'], at)).toBe(
      'Nothing is missing.\n',
    )
    await expect(python([file, 'missing', 'features_1s', DATE], at)).rejects.toMatchObject({
      code: 1,
    })
    const path = (await python([file, 'download', 'features_1s', DATE], at)).split('\n')[0]!
    expect(sha256(await readFile(path))).toBe(sha256(features))
  },
)

/** Every value as text with all digits, from DuckDB. */
async function expectedRows(
  path: string,
  columns: readonly string[],
  where: string,
): Promise<readonly string[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const sql = columns
    .map((name) => (name.startsWith('ts') ? `epoch_us(${name})` : `"${name}"`))
    .join(', ')
  const reader = await connection.runAndReadAll(
    `select ${sql} from read_parquet('${path}') where ${where}`,
  )
  const rows = reader.getRows().map((row) => row.map(valueText).join(' '))
  connection.closeSync()
  instance.closeSync()
  return rows
}

function valueText(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'bigint'
    ? String(value)
    : typeof value === 'number'
      ? bits(value)
      : String(value)
}

/** The eight bytes of a double, so that no digit is lost. */
function bits(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes.toString('hex')
}

const ROWS = `
import struct, math
def text(value, is_whole):
    if isinstance(value, str) or isinstance(value, bool):
        return str(value).lower() if isinstance(value, bool) else value
    if isinstance(value, float) and math.isnan(value):
        return "null"
    return str(int(value)) if is_whole else struct.pack(">d", value).hex()
def rows(frame, whole):
    names = list(frame.columns)
    values = [frame[n].astype("int64") // 1000 if str(frame[n].dtype).startswith("datetime") else frame[n] for n in names]
    whole = set(whole) | {n for n in names if n.startswith("ts")}
    return [" ".join(text(v, n in whole) for n, v in zip(names, row)) for row in zip(*(v.tolist() for v in values))]
`

for (const [dataset, symbols, step] of [
  ['features_1s', ['BTCUSDT', 'ETHUSDT'], 61],
  ['labels_1s', ['BTCUSDT'], 7],
  ['trades', ['ETHUSDT'], 1],
  ['quotes', ['BTCUSDT', 'ZECUSDT'], 1],
  ['candles', ['BTCUSDT'], 1],
] as const) {
  test.skipIf(!has_pandas)(
    `${dataset} in pandas, every column: the values that DuckDB reads (skipped where ${no_pandas})`,
    async () => {
      const cache = `load-${dataset}`
      const found = await run<{ columns: string[]; whole: string[]; rows: string[] }>(
        `${ROWS}
made = booktape.manifest("${dataset}", "${DATE}")
whole = [c["name"] for c in made["columns"] if c["type"] == "int64"]
frame = booktape.load("${dataset}", "${DATE}", symbols=${JSON.stringify(symbols)})
print(json.dumps({"columns": list(frame.columns), "whole": whole, "rows": rows(frame.iloc[::${step}], whole)}))`,
        cache,
      )
      const [path] = JSON.parse(
        await python(
          [
            '-c',
            `import json, booktape\nprint(json.dumps([str(p) for p in booktape.download("${dataset}", "${DATE}", files=["${dataset}.parquet"])]))`,
          ],
          { ...env, BOOKTAPE_CACHE: join(dir, cache) },
        ),
      ) as [string]
      const where = `symbol in (${symbols.map((one) => `'${one}'`).join(', ')})`
      const all = await expectedRows(path, found.columns, where)
      const expected = all.filter((_, row) => row % step === 0)
      expect(expected.length).toBeGreaterThan(100)
      expect(found.rows).toEqual(expected)
    },
  )
}

test.skipIf(!has_pandas)('columns and times are as documented', async () => {
  const found = await run<Record<string, unknown>>(`
frame = booktape.load("features_1s", "${DATE}", symbols=["BTCUSDT"], columns=["ofi", "ts", "symbol", "trade_count"])
try:
    booktape.load("features_1s", "${DATE}", columns=["ofu"])
except booktape.BooktapeError as error:
    wrong = str(error)
try:
    booktape.load("features_1s", "${DATE}", symbols=["BTCUSD"])
except booktape.BooktapeError as error:
    symbol = str(error)
try:
    booktape.load("features_1s", "${DATE}", exchange="binance")
except booktape.BooktapeError as error:
    exchange = str(error)
print(json.dumps({"exchange": exchange, "types": {n: str(t) for n, t in frame.dtypes.items()}, "wrong": wrong, "symbol": symbol,
                  "first": frame["ts"].iloc[0].isoformat()}))`)
  expect(found['types']).toEqual({
    ofi: 'float64',
    ts: 'datetime64[ns, UTC]',
    symbol: 'category',
    trade_count: 'float64',
  })
  expect(found['wrong']).toContain('Did you mean ofi')
  expect(found['symbol']).toContain('Did you mean BTCUSDT')
  expect(found['exchange']).toContain('Did you mean binance-futures')
  expect(found['first']).toBe('2024-08-09T10:00:00+00:00')
})

test.skipIf(!has_python)('a package that is missing is named, with what to install', async () => {
  // -S: without Debian's packages.
  const program = `import booktape
for into in (None, "polars"):
    try:
        booktape.load("features_1s", "${DATE}", into=into)
    except booktape.MissingPackage as error:
        print(error)`
  const printed = await python(['-S', '-c', program], env)
  expect(printed).toMatch(/Install one of pandas, polars, pyarrow, .*apt install python3-pandas/)
  expect(printed).toContain('polars is not installed: `pip install polars`')
})

for (const into of ['polars', 'arrow'] as const) {
  const module = into === 'arrow' ? 'pyarrow' : into
  test.skipIf(!has_pandas || !hasPython(module))(
    `${into} has the rows of pandas (skipped where ${module} is not installed)`,
    async () => {
      const found = await run<{ rows: unknown[][] }>(`
options = {"symbols": ["ETHUSDT"], "columns": ["symbol", "ofi", "trade_count", "ts"]}
frames = [booktape.load("features_1s", "${DATE}", into=into, **options) for into in ("pandas", "${into}")]
print(json.dumps({"rows": [[str(f["symbol"][0]), len(f), float(sum(x for x in f["ofi"].to_numpy() if x == x)),
                            float(sum(x for x in f["trade_count"].to_numpy() if x == x))] for f in frames]}))`)
      expect(found.rows[0]![1]).toBeGreaterThan(1_000)
      expect(found.rows[1]).toEqual(found.rows[0])
    },
  )
}

test.skipIf(!hasPython('polars'))(
  'a lazy query reads only its columns and symbols (skipped where polars is not installed)',
  async () => {
    const found = await run<{ count: number }>(`
frame = booktape.scan("features_1s", "${DATE}", symbols=["ETHUSDT"], columns=["ts", "ofi"])
print(json.dumps({"count": frame.collect().height}))`)
    const eth = manifest.coverage.find(({ symbol }) => symbol === 'ETHUSDT')!
    expect(found.count).toBe(eth.row_count)
    const sent = store.requests.reduce((sum, { sent_bytes }) => sum + sent_bytes, 0)
    expect(sent).toBeLessThan(features.length / 3)
  },
)
