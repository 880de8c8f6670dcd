/**
 * Upgrades under load: an ingestor records, a new one starts beside it and takes over with
 * `booktape handover`, and so on, two names in turns. Afterwards every frame that the exchange sent
 * must be stored once, without a gap.
 */
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createPool, type Pool, withClient } from '#core/node/pool.ts'
import { withDeadline } from '#core/waiting.ts'
import { type Child, startChild } from '../../../infra/local/child.ts'
import { prepareDatabase } from '../../../infra/local/database.ts'
import type { SourceStatus } from '../../../infra/exchange/source.ts'
import { exchangeStatus } from '../../../infra/local/exchange-client.ts'
import { freePorts } from '../../../infra/local/ports.ts'
import { check, complaints, type Verdict } from '../checker.ts'
import { loadEvidence } from '../evidence.ts'
import { drain, STEP_LIMIT_MS } from '../limits.ts'
import { CHANNELS, DEPTH_SYMBOLS } from '../plan.ts'
import { FragilePostgres } from '../postgres.ts'
import { TapeArchive } from '../tape-archive.ts'

export interface UpgradesOptions {
  readonly seed: number
  readonly upgrade_count: number
  readonly symbol_count: number
  readonly events_per_s: number
  readonly channels?: readonly string[]
  /** Keeps the files of a run that has complaints. */
  readonly keep_files: boolean
  readonly onProgress?: (what: string) => void
}

export interface UpgradesReport extends Verdict {
  readonly seed: number
  readonly upgrade_count: number
  readonly events_per_s: number
  /** From the start of the new ingestor to the end of the old one. */
  readonly upgrade_s: readonly number[]
  /** Sentences; empty if every guarantee held. */
  readonly complaints: readonly string[]
  readonly files: string | null
}

const NAMES = ['a', 'b'] as const
const LOOK_MS = 250
const SETTLE_MS = 1_000
const COMMAND_LIMIT_MS = 900_000
const WEIGHT_PER_MINUTE = '1000000'
const ROOT = join(import.meta.dirname, '../../..')

export async function runUpgrades(options: UpgradesOptions): Promise<UpgradesReport> {
  const { seed, upgrade_count, onProgress = () => undefined } = options
  const site = new Site(options)
  let keep_files = options.keep_files
  try {
    await site.open()
    const started = performance.now()
    const upgrade_s: number[] = []
    await site.start(NAMES[0])
    await sleep(SETTLE_MS)
    for (let i = 0; i < upgrade_count; i++) {
      const [from, to] = [NAMES[i % 2]!, NAMES[(i + 1) % 2]!]
      const began = performance.now()
      await site.start(to)
      onProgress(`${i + 1}: ${await site.handOver(from, to)}`)
      upgrade_s.push(Math.round((performance.now() - began) / 100) / 10)
      await sleep(SETTLE_MS)
    }
    const { frames_published } = await site.exchangeStatus()
    const events_per_s = (frames_published * 1_000) / (performance.now() - started)
    onProgress('stopping')
    await site.halt(NAMES[upgrade_count % 2]!)
    onProgress('checking')
    const { verdict, found } = await site.judge()
    keep_files = options.keep_files && found.length > 0
    return {
      seed,
      upgrade_count,
      events_per_s: Math.round(events_per_s),
      upgrade_s,
      ...verdict,
      complaints: found,
      files: keep_files ? site.dir : null,
    }
  } finally {
    await site.close(keep_files)
  }
}

/** A Postgres, the exchange server, and the ingestors that run at the moment. */
class Site {
  readonly dir = mkdtempSync(join(tmpdir(), 'booktape-upgrades-'))
  readonly #options: UpgradesOptions
  readonly #running = new Map<string, Child>()
  readonly #archives = new Map<string, TapeArchive>()
  /** Gaps that the ledger ever had, those included that a later look no longer found. */
  readonly #seen_gaps = new Set<string>()
  #postgres!: FragilePostgres
  #exchange: Child | undefined
  #exchange_url = ''
  #database_url = ''
  #pool: Pool | undefined
  #watching: Promise<void> = Promise.resolve()
  #is_watching = true
  #drained: (() => void) | undefined

  constructor(options: UpgradesOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    // Postgres may run as another user.
    chmodSync(this.dir, 0o755)
    const [postgres_port, exchange_port] = await freePorts(2)
    this.#postgres = new FragilePostgres(join(this.dir, 'postgres'), postgres_port!)
    process.once('exit', this.#abandon)
    await this.#postgres.start()
    this.#database_url = (
      await prepareDatabase(this.#postgres.url, 'upgrade-upgrade-upgrade')
    ).owner_url
    const { seed, symbol_count, events_per_s } = this.#options
    this.#exchange = startChild({
      name: 'exchange',
      entry: 'infra/exchange/main.ts',
      log_file: join(this.dir, 'exchange.log'),
      env: {
        PORT: String(exchange_port),
        SEED: String(seed),
        SYMBOL_COUNT: String(symbol_count),
        EVENTS_PER_S: String(events_per_s),
        WEIGHT_PER_MINUTE,
        EXCHANGE_TRUTH_FILE: this.#truth_file,
      },
    })
    this.#exchange_url = String((await this.#exchange.ready)['url'])
    this.#pool = createPool(this.#database_url, 'upgrades', 2)
    this.#watching = this.#watchLedger(this.#pool)
  }

  get #truth_file(): string {
    return join(this.dir, 'truth.ndjson')
  }

  exchangeStatus(): Promise<SourceStatus> {
    return exchangeStatus(this.#exchange_url)
  }

  async start(name: string): Promise<void> {
    const tape_dir = join(this.dir, 'tape', name)
    if (!this.#archives.has(name)) {
      this.#archives.set(name, new TapeArchive(tape_dir, join(this.dir, 'archive', name)))
    }
    const { channels = CHANNELS } = this.#options
    const child = startChild({
      name: `ingestor ${name}`,
      entry: 'ingestor/main.ts',
      log_file: join(this.dir, `ingestor-${name}.log`),
      onMessage: ({ type }) => {
        if (type === 'drained') this.#drained?.()
      },
      env: {
        DATABASE_URL: this.#database_url,
        INGESTOR_ID: name,
        TAPE_DIR: tape_dir,
        CHANNELS: channels.join(','),
        DEPTH_SYMBOLS: DEPTH_SYMBOLS.join(','),
        EXCHANGE_WS_URL: this.#exchange_url.replace('http', 'ws'),
        EXCHANGE_REST_URL: this.#exchange_url,
        REST_WEIGHT_PER_MINUTE: WEIGHT_PER_MINUTE,
      },
    })
    this.#running.set(name, child)
    await this.#within(`ingestor ${name} was ready`, child.ready)
  }

  /** As an operator does it. Returns what the command printed. */
  async handOver(from: string, to: string): Promise<string> {
    const command = promisify(execFile)(
      process.execPath,
      [join(ROOT, 'infra/cli/booktape.mjs'), 'handover', from, to],
      { env: { ...process.env, DATABASE_URL: this.#database_url }, timeout: COMMAND_LIMIT_MS },
    )
    const { stdout } = await command.catch((error: unknown) => {
      const { stderr = '' } = error as { readonly stderr?: string }
      throw this.#failure(`The handover from ${from} to ${to} failed: ${stderr}`)
    })
    const ended = await this.#running.get(from)!.ended
    if (ended !== 'exit code 0') throw this.#failure(`Ingestor ${from} ended with ${ended}`)
    this.#running.delete(from)
    return stdout.trim()
  }

  /** No new events; then everything is committed, and the last ingestor stops. */
  async halt(name: string): Promise<void> {
    await fetch(`${this.#exchange_url}/_exchange/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ actions: [{ kind: 'halt' }] }),
    })
    const isDone = async (): Promise<void> => {
      while ((await this.exchangeStatus()).state !== 'done') await sleep(LOOK_MS)
    }
    await this.#within('the exchange halted', isDone())
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#drained = resolve
    await drain(this.#running.get(name)!, promise)
    this.#is_watching = false
    await this.#watching
    await this.#running.get(name)!.stop()
    for (const archive of this.#archives.values()) archive.close()
    await this.#exchange?.stop()
  }

  async judge(): Promise<{ readonly verdict: Verdict; readonly found: readonly string[] }> {
    const archives = [...this.#archives.values()]
    const verdict = await withClient(this.#pool!, async (client) => {
      await loadEvidence(client, this.#truth_file, framesOf(archives))
      return check(client)
    })
    const found = [...complaints(verdict)]
    if (verdict.gaps > 0) found.push(`${verdict.gaps} gap rows were written`)
    if (this.#seen_gaps.size > 0) {
      const [first] = this.#seen_gaps
      found.push(`${this.#seen_gaps.size} gaps were in the ledger at some time, such as ${first}`)
    }
    return { verdict, found }
  }

  async close(keep_files: boolean): Promise<void> {
    this.#is_watching = false
    await this.#watching
    for (const child of this.#running.values()) await child.stop()
    await this.#exchange?.stop()
    for (const archive of this.#archives.values()) archive.close()
    await this.#pool?.end()
    await this.#postgres?.stop()
    process.off('exit', this.#abandon)
    if (!keep_files) rmSync(this.dir, { recursive: true, force: true })
  }

  /** The programs exit with this process; Postgres does not, so it is killed here. */
  readonly #abandon = (): void => this.#postgres.abandon()

  async #watchLedger(pool: Pool): Promise<void> {
    while (this.#is_watching) {
      const { rows } = await pool.query<{ text: string }>(
        `select concat_ws(' ', s.symbol, g.channel, g.cause, 'of', g.ingestor_id) as text
         from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id`,
      )
      for (const { text } of rows) this.#seen_gaps.add(text)
      await sleep(LOOK_MS)
    }
  }

  #within<T>(what: string, promise: Promise<T>): Promise<T> {
    return withDeadline(promise, STEP_LIMIT_MS, () =>
      this.#failure(`Timeout waiting until ${what}`),
    )
  }

  #failure(sentence: string): Error {
    const logs = [...this.#running.values()].map((child) => `${child.name}:\n${child.logEnd()}`)
    return new Error(`${sentence}\n${logs.join('\n')}`)
  }
}

function* framesOf(archives: readonly TapeArchive[]): Generator<Buffer> {
  for (const archive of archives) yield* archive.frames()
}
