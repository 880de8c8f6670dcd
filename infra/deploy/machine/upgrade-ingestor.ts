/**
 * Replaces the ingestor of a machine without a gap: two ingestors give one truth, so the new one
 * starts beside the old one, and the old one stops when the new one records all that it records.
 * Every step looks at what is so first: a run that was killed is continued by the next.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Pool } from '#core/node/pool.ts'
import { missingCoverage } from '../../handover/coverage.ts'
import { forgetStreams } from '../../handover/end-streams.ts'
import { handOver } from '../../handover/hand-over.ts'
import {
  booksInSequence,
  type Change,
  changesToLeaveOut,
  type View,
  whyNotRecording,
} from './look.ts'
import { type Instance, linkTarget, pointLink, wishesOf } from './instances.ts'
import type { ProcessManager } from './process-manager.ts'

export interface IngestorUpgrade {
  readonly manager: ProcessManager
  readonly instances: readonly [Instance, Instance]
  /** Folder of the release that is to run. */
  readonly release_dir: string
  /** True: the running instance has this release and its settings already. */
  readonly is_current: (instance: Instance) => boolean
  /** Called before an instance is started, and remembers what it is started with. */
  readonly noteStarted: (instance: Instance) => void
  /** Asks the admin API of an instance. */
  readonly look: (instance: Instance) => Promise<View>
  readonly change: (instance: Instance, change: Change) => Promise<void>
  /** Copies what operators asked for, so that the other instance records the same. */
  readonly takeAlong: (from: Instance, to: Instance) => Promise<void>
  /** Of the database that the instances write to. */
  readonly pool: Pool
  readonly say: (sentence: string) => void
  /** How long a new instance may take until it records everything [ms]. */
  readonly patience_ms: number
}

/** A stop commits for up to 10 s. */
const STOP_LIMIT_MS = 60_000
const LOOK_MS = 250
const SAY_MS = 10_000

/**
 * Returns the instance that records. Errors: OperatorError unit_failed, ingestor_not_recording,
 * handover_not_covered: the new one was stopped, and the old one goes on, if there is one.
 * handover_not_stopped: the new one goes on; the old one's tape is not committed.
 */
export async function upgradeIngestor(upgrade: IngestorUpgrade): Promise<Instance> {
  const { manager, instances, say } = upgrade
  const [a, b] = instances
  const is_active = await Promise.all(instances.map(({ unit }) => manager.isActive(unit)))
  if (!is_active[0] && !is_active[1]) return startFirst(upgrade)
  let old = is_active[0] ? a : b
  if (is_active[0] && is_active[1]) {
    // An upgrade was killed on its way. Where one has this release, it is the one to stay.
    old = await chooseOld(upgrade)
    const started = old === a ? b : a
    say(`Both instances run. ${started.letter} is to stay, with this release.`)
    if (!upgrade.is_current(started)) await stopInstance(upgrade, started, old)
  } else if (upgrade.is_current(old)) {
    const reason = await waitUntil(upgrade, old, () => lookAlone(upgrade, old))
    if (reason !== undefined) throw notRecording(old, reason, 'It goes on trying.')
    say(`Ingestor ${old.letter} has this release and these settings already.`)
    return old
  }
  const next = old === a ? b : a
  if (!(await manager.isActive(next.unit))) {
    await startInstance(upgrade, next, old)
  }
  await replace(upgrade, old, next)
  say(`Ingestor ${next.letter} records; ${old.letter} has stopped.`)
  return next
}

async function chooseOld(upgrade: IngestorUpgrade): Promise<Instance> {
  const [a, b] = upgrade.instances
  if (upgrade.is_current(a) !== upgrade.is_current(b)) return upgrade.is_current(a) ? b : a
  return (await lookAlone(upgrade, a).catch(describeError)) === undefined ? a : b
}

async function lookAlone(
  { look }: IngestorUpgrade,
  instance: Instance,
): Promise<string | undefined> {
  return whyNotRecording(await look(instance))
}

/** The one that ran last has the newest tape. */
async function startFirst(upgrade: IngestorUpgrade): Promise<Instance> {
  const { manager, instances, say } = upgrade
  const used = instances.filter(({ link }) => linkTarget(link) !== undefined)
  const is_enabled = used.find((instance) => upgrade.is_current(instance))
  const next = is_enabled ?? used.at(-1) ?? instances[0]
  say(`No ingestor runs: starting ${next.letter}.`)
  pointLink(next.link, upgrade.release_dir)
  upgrade.noteStarted(next)
  await manager.setEnabled(next.unit, true)
  await startWithin(upgrade, next)
  const reason = await waitUntil(upgrade, next, () => lookAlone(upgrade, next))
  if (reason !== undefined) throw notRecording(next, reason, 'It goes on trying.')
  for (const other of instances) {
    if (other !== next) await manager.setEnabled(other.unit, false)
  }
  say(`Ingestor ${next.letter} records.`)
  return next
}

async function startInstance(
  upgrade: IngestorUpgrade,
  next: Instance,
  old: Instance,
): Promise<void> {
  const { say } = upgrade
  say(`Starting ingestor ${next.letter} beside ${old.letter}.`)
  await settle(upgrade, next, old)
  await upgrade.takeAlong(old, next)
  pointLink(next.link, upgrade.release_dir)
  upgrade.noteStarted(next)
  try {
    await startWithin(upgrade, next)
  } catch (error) {
    await stopInstance(upgrade, next, old).catch(() => undefined)
    const hint = `Ingestor ${old.letter} goes on recording with the release that it has.`
    throw new OperatorError('unit_failed', describeError(error), { hint, cause: error })
  }
}

/** Stops `old` once `next` records all that it does. */
async function replace(upgrade: IngestorUpgrade, old: Instance, next: Instance): Promise<void> {
  const { pool, look, say, patience_ms } = upgrade
  try {
    const wishes = await leaveOut(upgrade, old, next)
    await handOver({
      pool,
      from: old.ingestor_id,
      to: next.ingestor_id,
      brokenBooks: async () => {
        const [now, then] = await Promise.all([look(old), look(next)])
        const kept = booksInSequence(then)
        return [...booksInSequence(now)].filter((symbol) => !kept.has(symbol))
      },
      stop: async () => {
        // An operator changed what is recorded meanwhile: the new one has not heard of it.
        if (wishesOf(old) !== wishes) throw new WishesChanged()
        await stopInstance(upgrade, old, next)
      },
      onWaiting: (sentence) => say(`Waiting: ${sentence}.`),
      cover_limit_ms: patience_ms,
      stop_limit_ms: STOP_LIMIT_MS,
    })
  } catch (error) {
    if (error instanceof WishesChanged) {
      say('What is recorded was changed meanwhile: starting over.')
      await stopInstance(upgrade, next, old)
      await startInstance(upgrade, next, old)
      return replace(upgrade, old, next)
    }
    // Where the old one still runs, the new one has not replaced it.
    if (await upgrade.manager.isActive(old.unit)) await stopInstance(upgrade, next, old)
    throw error
  }
}

class WishesChanged extends Error {}

/** Returns what is asked of `old` afterwards. */
async function leaveOut(upgrade: IngestorUpgrade, old: Instance, next: Instance): Promise<string> {
  const { look, change, say } = upgrade
  const before = wishesOf(old)
  const reason = await waitUntil(upgrade, next, () => lookAlone(upgrade, next))
  if (reason !== undefined) throw notRecording(next, reason, 'It was stopped.')
  const changes = changesToLeaveOut(await look(old), await look(next))
  if (changes.length === 0 || wishesOf(old) !== before) return before
  say(`Ingestor ${old.letter} leaves out what the settings do not have any more.`)
  for (const one of changes) await change(old, one)
  return wishesOf(old)
}

/**
 * What `idle` recorded in its last life, `running` has recorded since: if a handover was killed
 * before its end, the streams of `idle` are forgotten now.
 */
async function settle(
  { pool, say }: IngestorUpgrade,
  { ingestor_id: idle }: Instance,
  { ingestor_id: running }: Instance,
): Promise<void> {
  try {
    const missing = await missingCoverage(pool, idle, running)
    if (missing.length === 0) await forgetStreams(pool, idle)
  } catch (error) {
    if (error instanceof OperatorError && error.code === 'ingestor_unknown') return
    say(`The streams of ${idle} are not settled: ${describeError(error)}`)
  }
}

/** `other` goes on. The one that starts with the machine is always one that records. */
async function stopInstance(
  { manager }: IngestorUpgrade,
  instance: Instance,
  other: Instance,
): Promise<void> {
  await manager.setEnabled(other.unit, true)
  await manager.setEnabled(instance.unit, false)
  await manager.stop(instance.unit)
}

/** Its exchange may be away: then it is not ready for long. */
async function startWithin(
  { manager, patience_ms }: IngestorUpgrade,
  { unit, letter }: Instance,
): Promise<void> {
  const over = new AbortController()
  const late = sleep(patience_ms, undefined, { signal: over.signal }).then(() => {
    const message = `Ingestor ${letter} was not ready after ${patience_ms / 1_000} s.`
    throw new OperatorError('ingestor_not_recording', message)
  })
  try {
    await Promise.race([manager.start(unit), late])
  } finally {
    over.abort()
    late.catch(() => undefined)
  }
}

/** Settles with undefined once `check` does, or with its last reason when patience has ended. */
async function waitUntil(
  { patience_ms, say }: IngestorUpgrade,
  { letter }: Instance,
  check: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const begun_ms = performance.now()
  let said_ms = begun_ms
  for (;;) {
    const reason = await check().catch(describeError)
    if (reason === undefined) return undefined
    const now_ms = performance.now()
    if (now_ms - begun_ms > patience_ms) return reason
    if (now_ms - said_ms > SAY_MS) {
      say(`Waiting for ingestor ${letter}: ${reason}.`)
      said_ms = now_ms
    }
    await sleep(LOOK_MS)
  }
}

function notRecording({ letter }: Instance, reason: string, outcome: string): OperatorError {
  return new OperatorError(
    'ingestor_not_recording',
    `Ingestor ${letter} does not record as it should: ${reason}. ${outcome}`,
    { hint: 'Look at its log, and at `booktape doctor`.' },
  )
}
