/**
 * `npm run soak:client`: the client package in Node and in Chromium, through the edge worker, while
 * everything is restarted 20 times: kill -9 of live server, ingestor, edge worker and Postgres, and
 * every fourth time a stop and a start of the whole stack. In the end each reader's rows must equal
 * the tables: none missing, none twice, all in order. Prints one line of JSON; exit code 1 on any
 * difference, and then the programs' logs are kept.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { createPool, type Pool } from '#core/node/pool.ts'
import { micros, toIso } from '#core/time.ts'
import { wholeNumber } from '../../../infra/cli/options.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { untilCommitted } from './compare.ts'
import { openPage } from './page.ts'
import { READ_CHANNELS, type Reader, type ReadStream, startReader } from './reader.ts'
import { SoakStack } from './soak-stack.ts'
import { has_chromium } from '../../support/chromium.ts'

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
/**
 * The supervisor of the stack gives up after five restarts of a program in a minute. These are
 * three, so that a program may also fail to start while Postgres is away.
 */
const ROUND_MS = 20_000
const WHOLE_EVERY = 4
const BEHIND_LIMIT_MS = 120_000

const SOURCES: Readonly<Record<string, readonly [from: string, id: string]>> = {
  trades: ['marketdata.trades', 't.agg_trade_id'],
  mark_price: ['marketdata.mark_price', 'null::int8'],
  book: ["(select * from marketdata.depth_events where depth_kind = 'diff')", 't.final_update_id'],
}

interface Flags {
  readonly restarts: number
  readonly rate: number
}

await new Command('soak:client')
  .option('--restarts <count>', 'of everything', wholeNumber(1, 1_000), 20)
  .option('--rate <events>', 'events per second', wholeNumber(10, 100_000), 1_000)
  .action(async ({ restarts, rate }: Flags) => {
    const port_base = await freePort()
    const stack = new SoakStack(['--rate', String(rate), '--port-base', String(port_base)])
    let wrong: readonly string[] = ['It did not come to its end.']
    try {
      await stack.start()
      const report = await run(stack, restarts)
      wrong = report.wrong
      process.stdout.write(`${JSON.stringify(report)}\n`)
    } finally {
      await stack.stop()
      stack.clear(wrong.length > 0)
    }
    process.exit(wrong.length > 0 ? 1 : 0)
  })
  .parseAsync()

async function run(stack: SoakStack, restarts: number) {
  const { edge_url } = stack.file
  const node = startReader(edge_url, SYMBOLS)
  const page = has_chromium ? await openPage(edge_url, SYMBOLS) : undefined
  const readers = async (): Promise<Readonly<Record<string, Reader>>> =>
    // Copies: both go on reading.
    page === undefined
      ? { node: structuredClone(node) }
      : { node: structuredClone(node), chromium: await page.read() }
  await untilEveryone(readers, (stream) => stream.keys.length > 0)
  for (let restart = 1; restart <= restarts; restart++) {
    const round_ends = performance.now() + ROUND_MS
    const is_whole = restart % WHOLE_EVERY === 0
    process.stderr.write(`soak: restart ${restart}${is_whole ? ' of the whole stack' : ''}\n`)
    if (is_whole) {
      await stack.stop()
      await sleep(Math.random() * 2_000)
      await stack.start()
    } else {
      const programs = ['live', 'ingestor', 'edge', 'postgres'] as const
      for (const program of programs.toSorted(() => Math.random() - 0.5)) {
        stack.kill(program)
        await sleep(Math.random() * 2_000)
      }
    }
    await sleep(Math.max(0, round_ends - performance.now()))
  }
  const pool = createPool(stack.file.postgres_url, 'soak-client', 1)
  try {
    const until = await untilCommitted(pool)
    const newest = new Map<string, number>()
    for (const channel of READ_CHANNELS) {
      for (const symbol of SYMBOLS) {
        const rows = await rowsOf(pool, { channel, symbol })
        const last = rows.findLast(({ stamp }) => stamp <= until)
        newest.set(`${channel} ${symbol}`, last?.stamp ?? 0)
      }
    }
    await untilEveryone(readers, ({ channel, symbol, last }) => {
      return last >= newest.get(`${channel} ${symbol}`)!
    })
    const all = Object.entries(await readers())
    await untilCommitted(pool)
    const wrong: string[] = page === undefined ? ['Chromium is missing.'] : []
    wrong.push(...stack.exits)
    for (const [name, { streams, error }] of all) {
      if (error !== null) wrong.push(`${name}: ${error}`)
      const expected = READ_CHANNELS.length * SYMBOLS.length
      if (streams.length < expected) wrong.push(`${name}: ${streams.length} of ${expected} streams`)
      for (const stream of streams) {
        const found = differences(stream, await rowsOf(pool, stream))
        if (found !== undefined) wrong.push(`${name}: ${found}`)
      }
    }
    return {
      wrong,
      restarts,
      rows: Object.fromEntries(
        all.map(([name, { streams }]) => [
          name,
          streams.reduce((sum, { keys }) => sum + keys.length, 0),
        ]),
      ),
      connections: Object.fromEntries(
        all.map(([name, { connection_count }]) => [name, connection_count]),
      ),
    }
  } finally {
    await pool.end()
    await page?.close()
  }
}

/** Gives up after a while: the comparison then says what is missing. */
async function untilEveryone(
  readers: () => Promise<Readonly<Record<string, Reader>>>,
  holds: (stream: ReadStream) => boolean,
): Promise<void> {
  for (const deadline = performance.now() + BEHIND_LIMIT_MS; performance.now() < deadline;) {
    const all = Object.values(await readers())
    const count = READ_CHANNELS.length * SYMBOLS.length
    if (all.every(({ streams }) => streams.length === count && streams.every(holds))) return
    if (all.some(({ error }) => error !== null)) return
    await sleep(500)
  }
}

interface TableRow {
  readonly stamp: number
  readonly key: string
}

async function rowsOf(
  pool: Pool,
  { channel, symbol }: Pick<ReadStream, 'channel' | 'symbol'>,
): Promise<readonly TableRow[]> {
  const [from, id] = SOURCES[channel]!
  const { rows } = await pool.query<{ stamp: number; ts: number; id: string | null }>(
    `select (extract(epoch from t.ts_ingest) * 1000000)::float8 as stamp,
       (extract(epoch from t.ts_exchange) * 1000000)::float8 as ts, ${id}::text as id
     from ${from} t join marketdata.symbols s on s.id = t.symbol_id and s.symbol = $1
     order by t.ts_ingest, t.ts_exchange, ${id}`,
    [symbol],
  )
  return rows.map(({ stamp, ts, id: number }) => {
    const text = toIso(micros(ts))
    return { stamp, key: number === null ? text : `${text} ${number}` }
  })
}

/** What a reader got from its first to its newest message, against the table. */
function differences(stream: ReadStream, rows: readonly TableRow[]): string | undefined {
  const { channel, symbol, first, last, keys } = stream
  const table = rows.filter(({ stamp }) => stamp >= first && stamp <= last).map(({ key }) => key)
  // A subscription to a book begins with the whole book, as of an update that is no row of it.
  const expected = channel === 'book' && table[0] !== keys[0] ? table.slice(1) : table
  if (expected.length === keys.length && expected.every((key, at) => key === keys[at])) {
    return undefined
  }
  const [got, known] = [new Set(keys), new Set(expected)]
  const missing = expected.filter((key) => !got.has(key))
  const extra = keys.filter((key) => !known.has(key))
  return (
    `${channel} ${symbol}: ${missing.length} missing (${missing.slice(0, 2).join()}), ` +
    `${extra.length} extra (${extra.slice(0, 2).join()}), ${keys.length - got.size} twice`
  )
}
