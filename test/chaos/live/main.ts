/**
 * `npm run soak:live -- --clients 1000 --rate 10000`: a whole stack, many clients that are cut off
 * and frozen at random, kill -9 of the live server and of the ingestor. In the end each client's
 * trades must equal the table, none missing, none twice, and rebuilt books those of the tables.
 * Prints one line of JSON; exit code 1 on any difference.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { createPool, type Pool } from '#core/node/pool.ts'
import { wholeNumber } from '../../../infra/cli/options.ts'
import type { StackFile } from '../../../infra/local/data-dir.ts'
import { lagBetween, readLag } from './ingestor-lag.ts'
import { SoakClient } from './soak-client.ts'

interface Flags {
  readonly clients: number
  readonly frozen: number
  readonly rate: number
  readonly seconds: number
  readonly kills: number
}

const CLI = join(import.meta.dirname, '../../../infra/cli/booktape.mjs')
/** The supervisor of the stack gives up after five restarts in a minute. */
const KILL_EVERY_MS = 15_000
const BOOKS = 5

await new Command('soak:live')
  .option('--clients <count>', 'readers of trades', wholeNumber(1, 10_000), 1_000)
  .option('--frozen <count>', 'of them frozen for a while', wholeNumber(0, 10_000), 50)
  .option('--rate <events>', 'events per second', wholeNumber(1, 100_000), 10_000)
  .option('--seconds <seconds>', 'before and after the kills', wholeNumber(1, 3_600), 30)
  .option(
    '--kills <count>',
    'of the live server, and as many of the ingestor',
    wholeNumber(0, 100),
    2,
  )
  .action(soak)
  .parseAsync()

async function soak(flags: Flags): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-soak-live-'))
  chmodSync(dir, 0o755)
  const args = [CLI, 'start', '--data-dir', dir, '--rate', String(flags.rate)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  // What the stack says goes to stderr: stdout has the line of JSON.
  child.stdout.pipe(process.stderr)
  try {
    const stack = await stackOf(dir, child)
    const pool = createPool(stack.postgres_url, 'soak-live', 2)
    const is_good = await run(flags, stack, pool)
    await pool.end()
    process.exitCode = is_good ? 0 : 1
  } finally {
    child.kill('SIGTERM')
    await exited
    rmSync(dir, { recursive: true, force: true })
  }
  process.exit()
}

async function run(flags: Flags, stack: StackFile, pool: Pool): Promise<boolean> {
  const url = stack.live_url!
  const symbols = await recordedSymbols(pool, 'trades')
  // The ingestor alone, and then with all clients connected.
  await sleep(5_000)
  const lag_begun = await readLag(stack)
  await sleep(flags.seconds * 1_000)
  const lag_alone = await readLag(stack)
  const clients = Array.from(
    { length: flags.clients },
    (_, index) => new SoakClient(url, symbols[index % symbols.length]!),
  )
  const with_books = await recordedSymbols(pool, 'depth_events')
  const books = with_books.slice(0, BOOKS).map((symbol) => new SoakClient(url, symbol, 'book'))
  while (clients.some(({ first }) => first === undefined)) await sleep(200)
  const memory_mb: number[] = []
  const watch = setInterval(() => memory_mb.push(memoryOf('ingestor/live/main.ts', stack)), 1_000)
  // Undisturbed: how long messages take.
  for (const client of clients.slice(0, 100)) client.measures = true
  const lag_connected = await readLag(stack)
  await sleep(flags.seconds * 1_000)
  const lag_with_clients = await readLag(stack)
  for (const client of clients) client.measures = false
  const frozen = clients.slice(0, flags.frozen)
  for (const client of frozen) client.freeze()
  let cut_count = 0
  for (let kill = 0; kill < flags.kills; kill++) {
    for (const program of ['ingestor/live/main.ts', 'ingestor/main.ts']) {
      for (const pid of pidsOf(program, stack)) process.kill(pid, 'SIGKILL')
      for (const until = Date.now() + KILL_EVERY_MS / 2; Date.now() < until;) {
        clients[Math.floor(Math.random() * clients.length)]!.cut()
        cut_count++
        await sleep(50)
      }
    }
  }
  for (const client of frozen) client.thaw()
  await sleep(flags.seconds * 1_000)
  clearInterval(watch)
  const delays = clients.flatMap(({ delays_us }) => delays_us).toSorted((a, b) => a - b)
  const at = (share: number): number =>
    Math.round((delays[Math.floor(delays.length * share)] ?? 0) / 100) / 10
  for (const client of [...clients, ...books]) client.end()
  const wrong = await compareTrades(pool, clients)
  const wrong_books = await compareBooks(stack.edge_url, books)
  const third = Math.max(1, Math.floor(memory_mb.length / 3))
  process.stdout.write(
    `${JSON.stringify({
      clients: clients.length,
      trades: clients.reduce((sum, { ids }) => sum + ids.length, 0),
      cuts: cut_count,
      kills: 2 * flags.kills,
      wrong_clients: wrong.length,
      wrong: wrong.slice(0, 5),
      books: books.length,
      wrong_books,
      refusals: refusalsOf(clients),
      delay_p50_ms: at(0.5),
      delay_p99_ms: at(0.99),
      delays: delays.length,
      ingestor_alone: lagBetween(lag_begun, lag_alone),
      ingestor_with_clients: lagBetween(lag_connected, lag_with_clients),
      memory_mb_first: Math.max(...memory_mb.slice(0, third)),
      memory_mb_last: Math.max(...memory_mb.slice(-third)),
    })}\n`,
  )
  return wrong.length === 0 && wrong_books.length === 0
}

/** Waits until the live server answers and something was recorded. */
async function stackOf(dir: string, child: ChildProcess): Promise<StackFile> {
  for (;;) {
    if (child.exitCode !== null) throw new Error('The stack did not start.')
    try {
      const stack = JSON.parse(readFileSync(join(dir, 'stack.json'), 'utf8')) as StackFile
      const { ok } = await fetch(`${stack.live_url}/health`)
      if (ok) return stack
    } catch {
      // Not yet.
    }
    await sleep(500)
  }
}

async function recordedSymbols(pool: Pool, channel: string): Promise<readonly string[]> {
  for (;;) {
    const { rows } = await pool.query<{ symbol: string }>(
      `select distinct s.symbol from marketdata.stream_offsets o
       join marketdata.symbols s on s.id = o.symbol_id
       where o.channel = $1 and o.last_id is not null order by 1`,
      [channel],
    )
    if (rows.length > 0) return rows.map(({ symbol }) => symbol)
    await sleep(500)
  }
}

/** Each client's trades against the rows received from its first to its last message. */
async function compareTrades(
  pool: Pool,
  clients: readonly SoakClient[],
): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const { symbol, first, last, ids } of clients) {
    const { rows } = await pool.query<{ id: number }>(
      `select t.agg_trade_id::float8 as id from marketdata.trades t
       join marketdata.symbols s on s.id = t.symbol_id and s.symbol = $1
       where t.ts_ingest > to_timestamp(0) + $2::bigint * interval '1 microsecond'
         and t.ts_ingest <= to_timestamp(0) + $3::bigint * interval '1 microsecond'
       order by t.ts_ingest, t.ts_exchange, t.agg_trade_id`,
      [symbol, first!.seq, last!.seq],
    )
    const table = rows.map(({ id }) => id)
    if (table.length === ids.length && table.every((id, index) => id === ids[index])) continue
    const got = new Set(ids)
    const known = new Set(table)
    const missing = table.filter((id) => !got.has(id)).length
    const extra = ids.filter((id) => !known.has(id)).length
    wrong.push(`${symbol}: ${missing} missing, ${extra} extra, ${ids.length - got.size} twice`)
  }
  return wrong
}

async function compareBooks(
  edge_url: string,
  books: readonly SoakClient[],
): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const { symbol, book, newest_book_ts, book_is_known } of books) {
    if (!book_is_known || newest_book_ts === undefined) {
      wrong.push(`${symbol}: the book is not known`)
      continue
    }
    const query = new URLSearchParams({ ts: newest_book_ts, depth: '20', max_age_s: '3600' })
    const answer = await fetch(`${edge_url}/v1/book/${symbol}?${query}`)
    const table = (await answer.json()) as { readonly bids: unknown; readonly asks: unknown }
    const own = {
      bids: [...book.bids].toSorted(([a], [b]) => Number(b) - Number(a)).slice(0, 20),
      asks: [...book.asks].toSorted(([a], [b]) => Number(a) - Number(b)).slice(0, 20),
    }
    for (const side of ['bids', 'asks'] as const) {
      if (JSON.stringify(own[side]) !== JSON.stringify(table[side])) wrong.push(`${symbol} ${side}`)
    }
  }
  return wrong
}

function refusalsOf(clients: readonly SoakClient[]): Record<string, number> {
  const all: Record<string, number> = {}
  for (const { refusals } of clients) {
    for (const [code, count] of refusals) all[code] = (all[code] ?? 0) + count
  }
  return all
}

/** Processes of this stack: they have its folder or database in their environment. */
function pidsOf(entry: string, stack: StackFile): readonly number[] {
  const mark = new URL(stack.postgres_url).port
  return globSync('/proc/[0-9]*/cmdline').flatMap((path) => {
    try {
      const is_entry = readFileSync(path, 'utf8')
        .split('\0')
        .some((part) => part.endsWith(entry))
      if (!is_entry || (entry === 'ingestor/main.ts' && isIndex(path))) return []
      const environment = readFileSync(path.replace('cmdline', 'environ'), 'utf8')
      return environment.includes(`:${mark}/`) ? [Number(path.split('/')[2])] : []
    } catch {
      return []
    }
  })
}

function isIndex(path: string): boolean {
  return readFileSync(path.replace('cmdline', 'environ'), 'utf8').includes('tape-deribit')
}

/** Resident memory of the program in MB; 0 while it is down. */
function memoryOf(entry: string, stack: StackFile): number {
  const [pid] = pidsOf(entry, stack)
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1_024)
  } catch {
    return 0
  }
}
