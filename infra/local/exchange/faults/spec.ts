/** The faults one can ask the exchange server for, and the check of such a request. */
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'

/** Which frames a fault strikes, and for how long. */
const striking = {
  /** Streams by name, with * for any text: `btcusdt@*`, `*@aggTrade`. */
  streams: z.string().min(1).max(100).default('*'),
  probability: z.number().gt(0).max(1).default(1),
  /** After this many strikes the fault is over. */
  count_max: z.int().positive().optional(),
  for_ms: z.int().positive().optional(),
}

const lasting = { for_ms: z.int().positive().optional() }

const frameFault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('drop'), ...striking }),
  /** Every frame withheld: the socket lives, the stream is dead. */
  z.strictObject({ kind: z.literal('silence'), ...striking }),
  z.strictObject({
    kind: z.literal('delay'),
    delay_ms: z.int().positive().max(600_000),
    ...striking,
  }),
  z.strictObject({ kind: z.literal('duplicate'), ...striking }),
  /** The frame is no JSON any more. */
  z.strictObject({ kind: z.literal('corrupt'), ...striking }),
  /** Ids past 2^53, prices and quantities past the largest double. */
  z.strictObject({ kind: z.literal('out_of_range'), ...striking }),
  /** The connection ends in the middle of the frame. */
  z.strictObject({ kind: z.literal('cut'), ...striking }),
  /** Fields that no document names, in a frame that is right otherwise. */
  z.strictObject({ kind: z.literal('unknown_fields'), ...striking }),
  /** These three send a frame of their own before the right one. */
  z.strictObject({ kind: z.literal('unknown_type'), ...striking }),
  z.strictObject({
    kind: z.literal('huge'),
    size_bytes: z
      .int()
      .positive()
      .max(64 * 1024 * 1024),
    ...striking,
  }),
  z.strictObject({ kind: z.literal('bad_utf8'), ...striking }),
])

const connectionFault = z.discriminatedUnion('kind', [
  /** WebSocket connections are reset instead of accepted. */
  z.strictObject({ kind: z.literal('refuse'), ...lasting }),
  /** Sockets end this long after they were opened. */
  z.strictObject({ kind: z.literal('close_after'), after_ms: z.int().positive(), ...lasting }),
  /** REST requests, or WebSocket handshakes, are answered with this. */
  z.strictObject({
    kind: z.literal('http_status'),
    target: z.enum(['rest', 'handshake']),
    status: z.union([z.literal(418), z.literal(429), z.literal(500), z.literal(503)]),
    retry_after_s: z.int().positive().optional(),
    ...lasting,
  }),
])

const action = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('close_all') }),
  /** Announces the end on every socket, and closes them afterwards. */
  z.strictObject({ kind: z.literal('server_shutdown'), close_after_ms: z.int().nonnegative() }),
  /** Every simulated symbol quotes and trades. */
  z.strictObject({ kind: z.literal('roll_call') }),
  /** A simulated symbol comes, goes, or gets a finer tick; see ListingChange. */
  z.strictObject({
    kind: z.literal('listing'),
    symbol: z.string().regex(/^[A-Z0-9]{2,20}$/),
    change: z.enum(['list', 'delist', 'finer_tick']),
  }),
  /** The market stands still from now on; its state is `done` when clients have read every frame. */
  z.strictObject({ kind: z.literal('halt') }),
])

const request = z.strictObject({
  /** Takes the place of all faults set before; [] ends them. */
  faults: z
    .array(z.union([frameFault, connectionFault]))
    .max(100)
    .optional(),
  /** Done once, now. */
  actions: z.array(action).max(10).optional(),
})

export type FrameFault = z.output<typeof frameFault>
export type ConnectionFault = z.output<typeof connectionFault>
export type FaultAction = z.output<typeof action>
export type FaultRequest = z.output<typeof request>
/** As it is written, with defaults left out. */
export type FaultRequestInput = z.input<typeof request>

export const FRAME_FAULT_KINDS: ReadonlySet<string> = new Set(
  frameFault.options.map((option) => option.shape.kind.value),
)

/** Throws an OperatorError that names every field that is wrong. */
export function parseFaultRequest(value: unknown): FaultRequest {
  const result = request.safeParse(value)
  if (result.success) return result.data
  throw new OperatorError('bad_faults', z.prettifyError(result.error), {
    hint: 'The kinds of faults stand in infra/local/exchange/faults/spec.ts.',
  })
}
