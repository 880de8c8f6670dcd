/**
 * The processes under test: a Postgres, the exchange server and the ingestor, each real and in its
 * own process. This file starts them and injects faults. plan.ts decides when; checker.ts checks
 * the data.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning } from '#core/node/process-table.ts'
import { withDeadline } from '#core/waiting.ts'
import { type Child, type ChildMessage, startChild } from '../../infra/local/child.ts'
import { prepareDatabase } from '../../infra/local/database.ts'
import type { FaultRequestInput } from '../../infra/exchange/faults/spec.ts'
import type { SourceStatus } from '../../infra/exchange/source.ts'
import { exchangeStatus } from '../../infra/local/exchange-client.ts'
import { freePorts } from '../../infra/local/ports.ts'
import { isStatus } from '../../ingestor/messages.ts'
import type { IngestorStatus } from '../../ingestor/status.ts'
import { ask } from '../ingestor/control/support.ts'
import { drain, STEP_LIMIT_MS } from './limits.ts'
import { CHANNELS, DEPTH_SYMBOLS, type Fault } from './plan.ts'
import { FragilePostgres } from './postgres.ts'
import { TapeArchive } from './tape-archive.ts'

export interface WorldOptions {
  readonly seed: number
  readonly symbol_count: number
  readonly events_per_s: number
  /** Replaces settings of the ingestor. */
  readonly ingestor_env?: Readonly<Record<string, string>>
}

const MIB = 1024 * 1024
/** The smallest allowed budget, so that the disk is soon full. */
const TAPE_ENV = {
  TAPE_MAX_BYTES: String(64 * MIB),
  TAPE_SEGMENT_BYTES: String(16 * MIB),
  TAPE_KEEP_S: '1',
}
/** Weight to refill 200 streams after every kill; with the real limit it would take minutes. */
const REST_WEIGHT_PER_MINUTE = 1_000_000
/** Just under the longest accepted frame, to fill the tape fast. */
const FILLER_BYTES = 1_000_000
const TAPE_FULL_LIMIT_MS = 5_000
const POLL_MS = 50

export class World {
  readonly #options: WorldOptions
  readonly #dir = mkdtempSync(join(tmpdir(), 'booktape-chaos-'))
  #postgres!: FragilePostgres
  #exchange!: Child
  #exchange_url = ''
  #ingestor: Child | undefined
  #archive!: TapeArchive
  #status: IngestorStatus | undefined
  #drained: (() => void) | undefined
  /** The process that this class stopped itself. */
  #killed: Child | undefined
  #is_closing = false
  /** How the ingestor exited without being stopped. */
  readonly crashes: string[] = []
  database_url = ''

  constructor(options: WorldOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    // Postgres may run as another user.
    chmodSync(this.#dir, 0o755)
    const [postgres_port, exchange_port] = await freePorts(2)
    this.#postgres = new FragilePostgres(join(this.#dir, 'postgres'), postgres_port!)
    process.once('exit', this.#abandon)
    await this.#postgres.start()
    this.database_url = (await prepareDatabase(this.#postgres.url, 'chaos-chaos-chaos')).owner_url
    const { seed, symbol_count, events_per_s } = this.#options
    this.#exchange = startChild({
      name: 'exchange',
      entry: 'infra/exchange/main.ts',
      log_file: join(this.#dir, 'exchange.log'),
      env: {
        PORT: String(exchange_port),
        SEED: String(seed),
        FAULT_SEED: String(seed),
        SYMBOL_COUNT: String(symbol_count),
        EVENTS_PER_S: String(events_per_s),
        WEIGHT_PER_MINUTE: String(REST_WEIGHT_PER_MINUTE),
        EXCHANGE_TRUTH_FILE: this.truth_file,
      },
    })
    this.#exchange_url = String((await this.#exchange.ready)['url'])
    this.#archive = new TapeArchive(join(this.#dir, 'tape'), join(this.#dir, 'archive'))
    this.#startIngestor()
  }

  get dir(): string {
    return this.#dir
  }

  get tape_dir(): string {
    return join(this.#dir, 'tape')
  }

  get truth_file(): string {
    return join(this.#dir, 'truth.ndjson')
  }

  get status(): IngestorStatus | undefined {
    return this.#status
  }

  frames(): Generator<Buffer> {
    return this.#archive.frames()
  }

  exchangeStatus(): Promise<SourceStatus> {
    return this.within('The exchange reported its status', exchangeStatus(this.#exchange_url))
  }

  async ready(): Promise<void> {
    await this.within('The ingestor was ready', this.#ingestor!.ready)
  }

  /** Waits for the promise; an error with the sentence `what` if it takes too long. */
  within<T>(what: string, promise: Promise<T>, limit_ms = STEP_LIMIT_MS): Promise<T> {
    return withDeadline(promise, limit_ms, () =>
      this.failure(`Timeout (${limit_ms / 1_000} s) waiting for: ${what}`),
    )
  }

  failure(sentence: string): Error {
    const state = this.#status?.state ?? 'silent'
    const log = this.#ingestor?.logEnd() ?? ''
    return new Error(
      `${sentence}. The ingestor is ${state}. Files: ${this.#dir}. Its log ends with:\n${log}`,
    )
  }

  /** Injects the fault and reverts it; resolves when done. */
  strike(fault: Fault): Promise<void> {
    return this.within(`The fault ${fault.kind} was over`, this.#strike(fault))
  }

  async #strike(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case 'ingestor_kill':
        await this.#killIngestor()
        await sleep(fault.away_ms)
        return this.#startIngestor()
      case 'ingestor_freeze':
        this.#signalIngestor('SIGSTOP')
        await sleep(fault.away_ms)
        return this.#signalIngestor('SIGCONT')
      case 'postgres_stop':
        await this.#postgres.stop()
        await sleep(fault.away_ms)
        return this.#postgres.start()
      case 'postgres_kill':
        await this.#postgres.kill()
        await sleep(fault.away_ms)
        return this.#postgres.start()
      case 'postgres_freeze':
        this.#postgres.freeze()
        await sleep(fault.away_ms)
        return this.#postgres.thaw()
      case 'operator':
        return this.#steer(fault)
      case 'tape_full':
        return this.#fillTape(fault.away_ms)
      case 'exchange':
        await this.tellExchange({ faults: [...fault.faults], actions: [...fault.actions] })
        await sleep(fault.away_ms)
    }
  }

  async tellExchange(request: FaultRequestInput): Promise<void> {
    const asked = fetch(`${this.#exchange_url}/_exchange/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    })
    const answer = await this.within('The exchange accepted the faults', asked)
    if (!answer.ok)
      throw new Error(`The exchange server refused the faults: ${await answer.text()}`)
  }

  /** Resolves when everything that the ingestor received is committed. */
  async drain(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#drained = resolve
    await drain(this.#ingestor!, promise)
  }

  /**
   * Stops ingestor and exchange as an operator would, but not Postgres. Returns the exit reason.
   */
  async endFeed(): Promise<string> {
    this.#is_closing = true
    await this.#ingestor?.stop()
    await this.#exchange.stop()
    this.#archive.close()
    return (await this.#ingestor?.ended) ?? 'never started'
  }

  /** Stops everything and deletes the files, unless they are to be kept. */
  async close(keep_files: boolean): Promise<void> {
    this.#is_closing = true
    this.#signalIngestor('SIGCONT')
    await this.#ingestor?.stop()
    await this.#exchange?.stop()
    this.#archive?.close()
    await this.#postgres?.stop()
    process.off('exit', this.#abandon)
    if (!keep_files) rmSync(this.#dir, { recursive: true, force: true })
  }

  /** The programs exit with this process; Postgres does not, so it is killed here. */
  readonly #abandon = (): void => this.#postgres.abandon()

  #startIngestor(): void {
    const child = startChild({
      name: 'ingestor',
      entry: 'ingestor/main.ts',
      log_file: join(this.#dir, 'ingestor.log'),
      onMessage: (message) => this.#hear(message),
      env: {
        DATABASE_URL: this.database_url,
        INGESTOR_ID: 'chaos',
        TAPE_DIR: join(this.#dir, 'tape'),
        CHANNELS: CHANNELS.join(','),
        DEPTH_SYMBOLS: DEPTH_SYMBOLS.join(','),
        EXCHANGE_WS_URL: this.#exchange_url.replace('http', 'ws'),
        EXCHANGE_REST_URL: this.#exchange_url,
        REST_WEIGHT_PER_MINUTE: String(REST_WEIGHT_PER_MINUTE),
        ...TAPE_ENV,
        ...this.#options.ingestor_env,
      },
    })
    this.#ingestor = child
    void child.ended.then((reason) => {
      if (this.#is_closing || (reason === 'SIGKILL' && this.#killed === child)) return
      this.crashes.push(reason)
      // Restarts it, as its supervisor would.
      if (this.#ingestor === child) this.#startIngestor()
    })
  }

  #hear(message: ChildMessage): void {
    if (isStatus(message)) this.#status = message
    if (message.type === 'drained') this.#drained?.()
  }

  async #killIngestor(): Promise<void> {
    this.#killed = this.#ingestor
    this.#signalIngestor('SIGKILL')
    await this.#ingestor?.ended
    this.#status = undefined
  }

  #signalIngestor(name: NodeJS.Signals): void {
    const identity = this.#ingestor?.identity
    if (identity !== undefined && isRunning(identity)) process.kill(identity.pid, name)
  }

  async #steer({ wish, then_kill, away_ms }: Extract<Fault, { kind: 'operator' }>): Promise<void> {
    await this.#ask(
      wish === 'pause' ? ['POST', '/recording', { state: 'paused' }] : ['POST', '/scale', wish],
    )
    if (then_kill) {
      await this.#killIngestor()
      this.#startIngestor()
    }
    await sleep(away_ms)
    // Its pause ends with it: the environment knows none.
    await this.#ask(['DELETE', '/desired', undefined])
  }

  /** Until the ingestor can: it may have just begun to start, or wait for the exchange. */
  async #ask([method, path, body]: readonly [string, string, unknown]): Promise<void> {
    const socket = join(this.#dir, 'tape', 'control.sock')
    for (;;) {
      const status = await ask(socket, path, { method, body }).then(
        (answer) => answer.status,
        () => 0,
      )
      if (status === 200) return
      if (status >= 400 && status < 500)
        throw this.failure(`The ingestor refuses ${path}: ${status}`)
      await sleep(POLL_MS)
    }
  }

  async #fillTape(away_ms: number): Promise<void> {
    this.#postgres.freeze()
    await this.tellExchange({
      faults: [
        {
          kind: 'huge',
          size_bytes: FILLER_BYTES,
          streams: '*@aggTrade',
          probability: 0.1,
          count_max: 90,
        },
      ],
    })
    const deadline = performance.now() + TAPE_FULL_LIMIT_MS
    while (this.#status?.state !== 'tape_full' && performance.now() < deadline) await sleep(POLL_MS)
    await sleep(away_ms)
    await this.tellExchange({ faults: [] })
    this.#postgres.thaw()
  }
}
