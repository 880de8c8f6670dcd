/**
 * The phases of the soak: undisturbed, with frozen readers, with kills and cuts; then the check.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool, type Pool } from '#core/node/pool.ts'
import { compareBooks, Tables, untilCommitted } from './compare.ts'
import { measured } from './measured.ts'
import { SoakClient } from './soak-client.ts'
import type { ProgramName, SoakStack } from './soak-stack.ts'
import { Watch } from './watch.ts'

export interface SoakOptions {
  readonly clients: number
  readonly books: number
  readonly frozen: number
  readonly seconds: number
  readonly kills: number
}

export interface SoakReport {
  readonly wrong: readonly string[]
  readonly [fact: string]: unknown
}

/** The supervisor of the stack gives up after five restarts in a minute. */
const KILL_EVERY_MS = 30_000
const CUT_EVERY_MS = 50
/**
 * The busiest symbols, which readers that freeze hear: so much that they are too slow within a
 * minute, though the system buffers megabytes for a socket on loopback.
 */
const FROZEN_SYMBOLS = 5
const FROZEN_LIMIT_MS = 90_000
const BEHIND_LIMIT_MS = 150_000
const BEGIN_LIMIT_MS = 120_000
const OPENED_AT_ONCE = 20
const SETTLE_MS = 2_000
/** What a frozen client may cost. */
const FROZEN_BYTES_MAX = 1024 * 1024
/** Others may wait this much longer while some are frozen [ms]. */
const FROZEN_DELAY_MS = 50

export async function runSoak(options: SoakOptions, stack: SoakStack): Promise<SoakReport> {
  const pool = createPool(stack.file.postgres_url, 'soak-live', 2)
  try {
    return await run(options, stack, pool)
  } finally {
    await pool.end()
  }
}

async function run(options: SoakOptions, stack: SoakStack, pool: Pool): Promise<SoakReport> {
  const { seconds, kills } = options
  const url = stack.live_url
  const say = (what: string): void => void process.stderr.write(`soak: ${what}\n`)
  await sleep(5_000)
  const symbols = await busiestSymbols(pool, 'trades')
  const with_books = await busiestSymbols(pool, 'depth_events')
  const watch = new Watch(stack)
  const books = await opened(options.books, (at) => {
    return new SoakClient(url, ['book'], [with_books[at % with_books.length]!])
  })
  const readers = await opened(options.clients - options.books, (at) => {
    return new SoakClient(url, ['trades', 'quotes'], [symbols[at % symbols.length]!])
  })
  const clients = [...readers, ...books]
  say(`${clients.length} readers of ${symbols.length} symbols`)
  const undisturbed = await measured(readers, stack, watch, seconds)
  say(`undisturbed: ${JSON.stringify(undisturbed)}`)

  const before_frozen_mb = watch.newest_mb
  const frozen = await opened(options.frozen, () => {
    return new SoakClient(url, ['trades', 'book', 'quotes'], with_books.slice(0, FROZEN_SYMBOLS))
  })
  // A whole book each: reading them holds this process up.
  await sleep(SETTLE_MS)
  for (const client of frozen) client.freeze()
  const with_frozen =
    frozen.length === 0 ? undefined : await measured(readers, stack, watch, seconds)
  const tooSlow = (): number => watch.totals('live_closes_total')['consumer_too_slow'] ?? 0
  const deadline = performance.now() + FROZEN_LIMIT_MS
  while (tooSlow() < frozen.length && performance.now() < deadline) await sleep(1_000)
  const too_slow = tooSlow()
  const { waiting_bytes_max, memory_mb_max } = watch
  const sockets_mb = socketMegabytes()
  say(`with ${frozen.length} frozen, ${too_slow} too slow: ${JSON.stringify(with_frozen)}`)

  let cut_count = 0
  for (let kill = 0; kill < kills; kill++) {
    for (const program of ['live', 'ingestor'] satisfies ProgramName[]) {
      stack.kill(program)
      for (const until = Date.now() + KILL_EVERY_MS / 2; Date.now() < until;) {
        clients[Math.floor(Math.random() * clients.length)]!.cut()
        cut_count++
        await sleep(CUT_EVERY_MS)
      }
    }
  }
  for (const client of frozen) client.thaw()
  say(`${2 * kills} kills, ${cut_count} cuts`)

  const everyone = [...clients, ...frozen]
  const tables = new Tables(pool)
  const until = await untilCommitted(pool)
  const wrong = [...(await tables.untilDelivered(everyone, until, BEHIND_LIMIT_MS))]
  watch.stop()
  for (const client of everyone) client.end()
  await untilCommitted(pool)
  for (const client of everyone) wrong.push(...(await tables.compare(client)))
  wrong.push(...(await compareBooks(stack.file.edge_url, books)))
  const frozen_cost = {
    waiting_bytes: Math.round(waiting_bytes_max / Math.max(1, frozen.length)),
    // Of the process, with whatever else grew meanwhile.
    resident_bytes: Math.round(
      ((memory_mb_max - before_frozen_mb) * 1024 * 1024) / Math.max(1, frozen.length),
    ),
  }
  if (with_frozen !== undefined) {
    for (const [what, bytes] of Object.entries(frozen_cost)) {
      if (bytes > FROZEN_BYTES_MAX) wrong.push(`A frozen reader costs ${bytes} ${what}.`)
    }
    if (too_slow < frozen.length) wrong.push(`${too_slow} of the frozen were disconnected`)
    const limit_ms = undisturbed.p99_ms * 2 + FROZEN_DELAY_MS
    if (with_frozen.p99_ms > limit_ms)
      wrong.push(`p99 ${with_frozen.p99_ms} ms with frozen readers`)
  }
  wrong.push(...stack.exits)
  const rows = everyone.flatMap(({ streams }) => streams.map(({ ids }) => ids.length))
  return {
    wrong: wrong.slice(0, 20),
    wrong_count: wrong.length,
    clients: clients.length,
    symbols: symbols.length,
    frozen: frozen.length,
    rows_compared: rows.reduce((sum, count) => sum + count, 0),
    quotes: readers.reduce((sum, { quote_count }) => sum + quote_count, 0),
    cuts: cut_count,
    kills: 2 * kills,
    undisturbed,
    with_frozen,
    frozen_cost,
    // Of the whole machine; the system's, besides the process.
    sockets_mb,
    frozen_too_slow: too_slow,
    closes: watch.totals('live_closes_total'),
    resumes: watch.totals('live_resumes_total'),
    refusals: refusalsOf(everyone),
    live_memory: watch.memory,
  }
}

/** Opens them a few at a time, and waits until all their streams have begun. */
async function opened(
  count: number,
  open: (index: number) => SoakClient,
): Promise<readonly SoakClient[]> {
  const clients: SoakClient[] = []
  while (clients.length < count) {
    clients.push(open(clients.length))
    if (clients.length % OPENED_AT_ONCE === 0) await sleep(100)
  }
  const deadline = performance.now() + BEGIN_LIMIT_MS
  while (!clients.every(({ has_begun }) => has_begun)) {
    if (performance.now() > deadline) {
      const begun = clients.filter(({ has_begun }) => has_begun).length
      throw new Error(`${begun} of ${count} readers have begun after ${BEGIN_LIMIT_MS / 1_000} s.`)
    }
    await sleep(100)
  }
  return clients
}

/** Buffers of all TCP sockets of the machine. */
function socketMegabytes(): number {
  const pages = /^TCP: .* mem (\d+)$/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))?.[1]
  return Math.round((Number(pages) * 4_096) / 1_000_000)
}

/** Those with rows, most rows first. */
async function busiestSymbols(pool: Pool, table: string): Promise<readonly string[]> {
  for (;;) {
    const { rows } = await pool.query<{ symbol: string }>(
      `select s.symbol from marketdata.${table} t
       join marketdata.symbols s on s.id = t.symbol_id
       group by 1 order by count(*) desc`,
    )
    if (rows.length > 0) return rows.map(({ symbol }) => symbol)
    await sleep(500)
  }
}

function refusalsOf(clients: readonly SoakClient[]): Record<string, number> {
  const all: Record<string, number> = {}
  for (const { refusals } of clients) {
    for (const [code, count] of refusals) all[code] = (all[code] ?? 0) + count
  }
  return all
}
