/**
 * Applies operators' changes one at a time: plans each one, writes it to the audit log, applies it.
 * A retry with the same Idempotency-Key changes nothing and gets the same answer, even after a
 * restart, also if the first request found the state as requested. What was refused is not
 * remembered, because nothing was done. A change whose If-Match differs from the current ETag is
 * refused.
 */
import { createHash, randomUUID } from 'node:crypto'
import { OperatorError } from '#core/errors.ts'
import type { Caller } from '#core/node/door/guard.ts'
import type { Logger } from '#core/node/log.ts'
import { Problem } from '#core/problem.ts'
import { withDeadline } from '#core/waiting.ts'
import type { ChangePlan, Steering } from '../steering.ts'
import type { DesiredState } from '../desired-state.ts'
import type { AuditEntry, AuditLog, AuditResult } from './audit-log.ts'
import {
  type Desired,
  desiredBy,
  environmentOf,
  etagOf,
  isSame,
  type StartingPoint,
  writeDesired,
} from './desired.ts'
import { openUnchangedBook, type Unchanged, type UnchangedBook } from './unchanged.ts'
import { fromWire, toWire, type WantedWire } from './wire.ts'

export interface ChangeRequest {
  readonly caller: Caller
  readonly action: AuditEntry['action']
  /** The validated body. */
  readonly request: unknown
  readonly is_dry_run: boolean
  readonly if_match: string | undefined
  readonly idempotency_key: string | undefined
  /** Returns the wanted state after the change. Errors: Problem. */
  wish(now: DesiredState): DesiredState
}

export interface ChangeAnswer {
  readonly is_dry_run: boolean
  /** False if the state already was as requested. */
  readonly is_changed: boolean
  /** True if an earlier request had this key; then this is its answer. */
  readonly is_repeated: boolean
  readonly audit_id: string | null
  readonly revision: number
  readonly etag: string
  readonly wanted: WantedWire
  readonly result: AuditResult
  /** Stream names of the exchange. Only for a dry run. */
  readonly streams: {
    readonly added: readonly string[]
    readonly removed: readonly string[]
  } | null
}

export interface Changes {
  readonly wanted: DesiredState
  readonly etag: string
  readonly revision: number
  /** Undefined before the first change. */
  readonly last: Pick<Desired, 'changed_at' | 'changed_by'> | undefined
  /** Errors: Problem; OperatorError of the steering and the audit log. */
  change(request: ChangeRequest): Promise<ChangeAnswer>
}

export interface ChangesOptions {
  readonly dir: string
  readonly instance: string
  readonly steering: Pick<Steering, 'plan' | 'apply' | 'names'>
  readonly start: StartingPoint
  readonly from_environment: DesiredState
  readonly log: Logger
  readonly audit: AuditLog
  onChanged(entry: AuditEntry): void
}

/** Limit for the exchange's answers that a plan needs. */
const PLAN_MS = 20_000
const WAITING_MAX = 16
const SYMBOLS_TOLD_MAX = 500
const STREAMS_TOLD_MAX = 5_000

/** Also records changes of the environment, and completes what a killed process left unwritten. */
export function createChanges(options: ChangesOptions): Changes {
  return new ChangeDesk(options)
}

class ChangeDesk implements Changes {
  readonly #options: ChangesOptions
  readonly #unchanged: UnchangedBook
  #desired: Desired | undefined
  #wanted: DesiredState
  #turn: Promise<unknown> = Promise.resolve()
  #waiting_count = 0

  constructor(options: ChangesOptions) {
    const { start } = options
    this.#options = options
    this.#unchanged = openUnchangedBook(options.dir, options.log)
    this.#desired = start.stored
    this.#wanted = start.wanted
    if (start.stored !== undefined && start.overridden.length > 0) {
      const origin = 'start'
      const caller = { name: 'environment', origin }
      const request = { settings: start.overridden }
      this.#commit(this.#entry('environment', request, caller, start.wanted, null))
    } else if (start.is_file_behind && start.stored !== undefined) {
      this.#write(start.stored)
    }
  }

  get wanted(): DesiredState {
    return this.#wanted
  }

  get revision(): number {
    return this.#desired?.revision ?? 0
  }

  get etag(): string {
    return etagOf(this.revision, this.#wanted)
  }

  get last(): Pick<Desired, 'changed_at' | 'changed_by'> | undefined {
    return this.#desired
  }

  change(request: ChangeRequest): Promise<ChangeAnswer> {
    if (this.#waiting_count >= WAITING_MAX) throw tooMany()
    this.#waiting_count++
    const answer = this.#turn.then(() => this.#change(request))
    this.#turn = answer.catch(() => undefined).finally(() => this.#waiting_count--)
    return answer
  }

  async #change(request: ChangeRequest): Promise<ChangeAnswer> {
    const { steering, audit } = this.#options
    const { idempotency_key, is_dry_run } = request
    const fingerprint = fingerprintOf(request)
    const earlier = idempotency_key === undefined ? undefined : audit.byKey(idempotency_key)
    const unchanged =
      idempotency_key === undefined ? undefined : this.#unchanged.byKey(idempotency_key)
    if (!is_dry_run) {
      if (earlier !== undefined) return answerOf(requireSame(earlier, fingerprint), true)
      if (unchanged !== undefined) return unchangedAnswer(requireSame(unchanged, fingerprint), true)
    }
    this.#requireMatch(request.if_match)
    const asked = steering.plan(request.wish(this.#wanted))
    const plan = await withDeadline(asked, PLAN_MS, planTimeout)
    const { wanted } = plan
    const result = resultOf(plan)
    const is_changed = !isSame(toWire(wanted), toWire(this.#wanted))
    const { revision } = this
    if (is_dry_run) {
      const streams = streamNamesOf(plan)
      const facts = { is_dry_run, is_changed, is_repeated: false, audit_id: null, streams, result }
      return { ...facts, revision, etag: this.etag, wanted: toWire(wanted) }
    }
    if (!is_changed) {
      const kept = { fingerprint, revision, wanted: toWire(wanted), result }
      if (idempotency_key !== undefined) this.#unchanged.remember({ idempotency_key, ...kept })
      return unchangedAnswer(kept, false)
    }
    const { action, caller } = request
    const entry = {
      ...this.#entry(action, request.request, caller, wanted, result),
      ...(idempotency_key === undefined ? {} : { idempotency_key, fingerprint }),
    }
    this.#commit(entry, wanted)
    steering.apply(plan)
    const facts = { action, actor: entry.actor, origin: entry.origin, revision: entry.revision }
    this.#options.log.info({ ...facts, ...result }, 'An operator changed what is recorded.')
    return answerOf(entry, false)
  }

  /** Makes the change durable. If it throws, nothing has changed; afterwards it can be applied. */
  #commit(entry: AuditEntry, wanted = fromWire(entry.after)): void {
    this.#options.audit.append(entry)
    this.#wanted = wanted
    this.#write(desiredBy(entry, environmentOf(this.#options.from_environment)))
    this.#options.onChanged(entry)
  }

  #write(desired: Desired): void {
    this.#desired = desired
    try {
      writeDesired(this.#options.dir, desired)
    } catch (error) {
      const facts = { code: 'desired_state_unwritable', error: (error as Error).message }
      this.#options.log.error(
        facts,
        'The state file was not written; the audit log has the change.',
      )
    }
  }

  #entry(
    action: AuditEntry['action'],
    request: unknown,
    { name: actor, origin }: Pick<Caller, 'name' | 'origin'>,
    wanted: DesiredState,
    result: AuditResult | null,
  ): AuditEntry {
    return {
      audit_id: randomUUID(),
      at: new Date().toISOString(),
      program: 'ingestor',
      instance: this.#options.instance,
      actor,
      origin,
      action,
      request,
      revision: this.revision + 1,
      before: this.#desired?.wanted ?? toWire(this.#wanted),
      after: toWire(wanted),
      result,
    }
  }

  #requireMatch(if_match: string | undefined): void {
    if (if_match === undefined || if_match === '*') return
    if (if_match.split(',').some((tag) => tag.trim() === this.etag)) return
    const { last } = this
    const by = last === undefined ? '' : ` ${last.changed_by} changed it at ${last.changed_at}.`
    const detail = `The wanted state now has the ETag ${this.etag}.${by}`
    const headers = { etag: this.etag }
    throw new Problem(412, 'changed_meanwhile', 'Somebody else changed it.', detail, { headers })
  }
}

/** Errors: Problem, if the key was used for another request. */
function requireSame<T extends { readonly fingerprint?: string | undefined }>(
  earlier: T,
  fingerprint: string,
): T {
  if (earlier.fingerprint === fingerprint) return earlier
  const title = 'This Idempotency-Key was used for another request.'
  throw new Problem(
    422,
    'key_reused',
    title,
    'Use a new key for every change, and the same to retry.',
  )
}

function unchangedAnswer(
  { revision, wanted, result }: Pick<Unchanged, 'revision' | 'wanted' | 'result'>,
  is_repeated: boolean,
): ChangeAnswer {
  return {
    is_dry_run: false,
    is_changed: false,
    is_repeated,
    audit_id: null,
    revision,
    etag: etagOf(revision, fromWire(wanted)),
    wanted,
    result,
    streams: null,
  }
}

function answerOf(entry: AuditEntry, is_repeated: boolean): ChangeAnswer {
  const { audit_id, revision, after, result } = entry
  return {
    is_dry_run: false,
    is_changed: true,
    is_repeated,
    audit_id,
    revision,
    etag: etagOf(revision, fromWire(after)),
    wanted: after,
    result: result!,
    streams: null,
  }
}

function resultOf({ symbols, streams, rest_weight, duration_s }: ChangePlan): AuditResult {
  return {
    symbols_added: symbols.added.slice(0, SYMBOLS_TOLD_MAX),
    symbols_removed: symbols.removed.slice(0, SYMBOLS_TOLD_MAX),
    symbols_added_count: symbols.added.length,
    symbols_removed_count: symbols.removed.length,
    streams_added_count: streams.added.length,
    streams_removed_count: streams.removed.length,
    streams_kept_count: streams.kept.length,
    rest_weight,
    duration_s,
  }
}

function streamNamesOf({ streams }: ChangePlan): NonNullable<ChangeAnswer['streams']> {
  const names = (of: ChangePlan['streams']['added']): readonly string[] =>
    of.slice(0, STREAMS_TOLD_MAX).map(({ name }) => name)
  return { added: names(streams.added), removed: names(streams.removed) }
}

function fingerprintOf({ action, request }: ChangeRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([action, request]))
    .digest('hex')
    .slice(0, 32)
}

function planTimeout(): OperatorError {
  const message = `The exchange did not answer within ${PLAN_MS / 1_000} s.`
  const hint = 'Nothing was changed. Try again.'
  return new OperatorError('plan_timeout', message, { hint, retryable: true })
}

function tooMany(): Problem {
  const detail = `${WAITING_MAX} changes wait for their turn.`
  return new Problem(429, 'too_many_changes', 'There are too many changes at once.', detail)
}
