/**
 * Decides which fault strikes. It holds the configured faults and judges frames, handshakes and
 * REST requests; its callers carry out the verdicts. Randomness comes from a seeded generator.
 */
import type { UndeliveredCause } from '../ledger.ts'
import {
  FRAME_FAULT_KINDS,
  type ConnectionFault,
  type FaultRequest,
  type FrameFault,
} from './spec.ts'
import {
  corruptPayload,
  hugeFrame,
  invalidUtf8Frame,
  unknownTypeFrame,
  withIdsOutOfRange,
  withUnknownFields,
} from './malformed-frames.ts'

export type Verdict =
  | { readonly kind: 'send' | 'duplicate' | 'cut' }
  | { readonly kind: 'withhold'; readonly cause: UndeliveredCause }
  | { readonly kind: 'delay'; readonly delay_ms: number }
  /** Sent instead of the frame, which counts as undelivered. */
  | { readonly kind: 'replace'; readonly payload: string; readonly cause: UndeliveredCause }
  /** Sent instead of the frame, which counts as delivered. */
  | { readonly kind: 'alter'; readonly payload: string }
  /** Sent before the frame. */
  | { readonly kind: 'inject'; readonly bytes: Buffer }

export interface Refusal {
  readonly status: number
  readonly retry_after_s: number | undefined
}

/** The fields of a topic that the desk needs. */
interface Topic {
  readonly stream: string
  readonly prefix: string
}

interface Frame {
  readonly ts_ms: number
  readonly payload: string
}

interface Active<Fault> {
  readonly fault: Fault
  readonly ends_at: number
  struck_count: number
}

interface ActiveFrameFault extends Active<FrameFault> {
  readonly pattern: RegExp
}

export class FaultDesk {
  #frame_faults: ActiveFrameFault[] = []
  #connection_faults: Active<ConnectionFault>[] = []
  readonly #random: () => number
  readonly #now: () => number

  /** `random` returns values in [0, 1); `now` returns milliseconds that never decrease. */
  constructor(random: () => number, now: () => number) {
    this.#random = random
    this.#now = now
  }

  /** True while frame faults are set, so that frames must be judged. */
  get active(): boolean {
    return this.#frame_faults.length > 0
  }

  /** Replaces all faults set before. */
  set(faults: NonNullable<FaultRequest['faults']>): void {
    this.#frame_faults = []
    this.#connection_faults = []
    for (const fault of faults) {
      const ends_at =
        fault.for_ms === undefined ? Number.POSITIVE_INFINITY : this.#now() + fault.for_ms
      if (isFrameFault(fault)) {
        const pattern = patternOf(fault.streams)
        this.#frame_faults.push({ fault, pattern, ends_at, struck_count: 0 })
      } else {
        this.#connection_faults.push({ fault, ends_at, struck_count: 0 })
      }
    }
  }

  report(): readonly { readonly kind: string; readonly struck_count: number }[] {
    this.#forgetEnded()
    return [...this.#frame_faults, ...this.#connection_faults].map(({ fault, struck_count }) => ({
      ...fault,
      struck_count,
    }))
  }

  judge(topic: Topic, frame: Frame): Verdict {
    this.#forgetEnded()
    for (const active of this.#frame_faults) {
      if (!active.pattern.test(topic.stream) || this.#random() >= active.fault.probability) continue
      active.struck_count += 1
      return verdictOf(active.fault, topic, frame, this.#random)
    }
    return { kind: 'send' }
  }

  refusesSockets(): boolean {
    return this.#strike('refuse') !== undefined
  }

  refusesStream(stream: string): boolean {
    const strikes = ({ streams }: { readonly streams: string }): boolean =>
      patternOf(streams).test(stream)
    return this.#strike('refuse_streams', strikes) !== undefined
  }

  closesAfterMs(): number | undefined {
    return this.#strike('close_after')?.after_ms
  }

  refusal(target: 'rest' | 'handshake', path: string): Refusal | undefined {
    const fault = this.#strike(
      'http_status',
      (candidate) => candidate.target === target && patternOf(candidate.path).test(path),
    )
    return fault && { status: fault.status, retry_after_s: fault.retry_after_s }
  }

  #strike<Kind extends ConnectionFault['kind']>(
    kind: Kind,
    applies: (fault: Extract<ConnectionFault, { kind: Kind }>) => boolean = () => true,
  ): Extract<ConnectionFault, { kind: Kind }> | undefined {
    this.#forgetEnded()
    for (const active of this.#connection_faults) {
      if (active.fault.kind !== kind) continue
      const fault = active.fault as Extract<ConnectionFault, { kind: Kind }>
      if (!applies(fault)) continue
      active.struck_count += 1
      return fault
    }
    return undefined
  }

  #forgetEnded(): void {
    const now = this.#now()
    const isOn = ({ ends_at, fault, struck_count }: Active<FrameFault | ConnectionFault>) => {
      const count_max = 'count_max' in fault ? fault.count_max : undefined
      return now < ends_at && struck_count < (count_max ?? Number.POSITIVE_INFINITY)
    }
    if (!this.#frame_faults.every(isOn)) this.#frame_faults = this.#frame_faults.filter(isOn)
    this.#connection_faults = this.#connection_faults.filter(isOn)
  }
}

function isFrameFault(fault: FrameFault | ConnectionFault): fault is FrameFault {
  return FRAME_FAULT_KINDS.has(fault.kind)
}

function patternOf(glob: string): RegExp {
  const parts = glob.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`)
}

function verdictOf(fault: FrameFault, topic: Topic, frame: Frame, random: () => number): Verdict {
  const { payload } = frame
  switch (fault.kind) {
    case 'drop':
    case 'silence':
      return { kind: 'withhold', cause: fault.kind }
    case 'delay':
      return { kind: 'delay', delay_ms: fault.delay_ms }
    case 'duplicate':
    case 'cut':
      return { kind: fault.kind }
    case 'corrupt':
      return { kind: 'replace', cause: 'corrupt', payload: corruptPayload(payload, random()) }
    case 'out_of_range':
      return { kind: 'replace', cause: 'out_of_range', payload: withIdsOutOfRange(payload) }
    case 'unknown_fields':
      return { kind: 'alter', payload: withUnknownFields(payload) }
    case 'unknown_type':
      return { kind: 'inject', bytes: unknownTypeFrame(topic.prefix, frame.ts_ms) }
    case 'huge':
      return { kind: 'inject', bytes: hugeFrame(topic.prefix, fault.size_bytes) }
    case 'bad_utf8':
      return { kind: 'inject', bytes: invalidUtf8Frame(topic.prefix) }
  }
}
