/** The faults that a client can request of the exchange server, as a schema. */
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'

/** Which frames a fault strikes, and for how long. */
const striking = {
  /** Streams by name, with * for any text: `btcusdt@*`, `*@aggTrade`. */
  streams: z.string().min(1).max(100).default('*'),
  probability: z.number().gt(0).max(1).default(1),
  /** The fault ends after this many strikes. */
  count_max: z.int().positive().optional(),
  for_ms: z.int().positive().optional(),
}

const lasting = { for_ms: z.int().positive().optional() }

const frameFault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('drop'), ...striking }),
  /** Every frame is withheld: the socket stays open, the stream is silent. */
  z.strictObject({ kind: z.literal('silence'), ...striking }),
  z.strictObject({
    kind: z.literal('delay'),
    delay_ms: z.int().positive().max(600_000),
    ...striking,
  }),
  z.strictObject({ kind: z.literal('duplicate'), ...striking }),
  /** The frame is no longer JSON. */
  z.strictObject({ kind: z.literal('corrupt'), ...striking }),
  /** Ids above 2^53, prices and quantities above the largest double. */
  z.strictObject({ kind: z.literal('out_of_range'), ...striking }),
  /** The connection breaks in the middle of the frame. */
  z.strictObject({ kind: z.literal('cut'), ...striking }),
  /** Undocumented fields in an otherwise correct frame. */
  z.strictObject({ kind: z.literal('unknown_fields'), ...striking }),
  /** The next three send an extra frame before the correct one. */
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
  /** Sockets close this long after they were opened. */
  z.strictObject({ kind: z.literal('close_after'), after_ms: z.int().positive(), ...lasting }),
  /** The exchange answers a subscription to one of these streams with an error. */
  z.strictObject({
    kind: z.literal('refuse_streams'),
    streams: z.string().min(1).max(100),
    ...lasting,
  }),
  /** REST requests or WebSocket handshakes get this status. */
  z.strictObject({
    kind: z.literal('http_status'),
    target: z.enum(['rest', 'handshake']),
    status: z.union([z.literal(418), z.literal(429), z.literal(500), z.literal(503)]),
    retry_after_s: z.int().positive().optional(),
    /** Requests by the path of their URL, with * for any text: `/fapi/v1/depth`. */
    path: z.string().min(1).max(100).default('*'),
    /** The fault ends after this many refusals. */
    count_max: z.int().positive().optional(),
    ...lasting,
  }),
])

const action = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('close_all') }),
  /** Announces the shutdown on every socket, then closes them. */
  z.strictObject({ kind: z.literal('server_shutdown'), close_after_ms: z.int().nonnegative() }),
  /** Every simulated symbol quotes and trades. */
  z.strictObject({ kind: z.literal('roll_call') }),
  /** A simulated symbol is listed, delisted, or gets a finer tick; see ListingChange. */
  z.strictObject({
    kind: z.literal('listing'),
    symbol: z.string().regex(/^[A-Z0-9]{2,20}$/),
    change: z.enum(['list', 'delist', 'finer_tick']),
  }),
  /** The market stops; its state is `done` when clients have read every frame. */
  z.strictObject({ kind: z.literal('halt') }),
])

const request = z.strictObject({
  /** Replaces all faults set before; [] ends them. */
  faults: z
    .array(z.union([frameFault, connectionFault]))
    .max(100)
    .optional(),
  /** Executed once, now. */
  actions: z.array(action).max(10).optional(),
})

export type FrameFault = z.output<typeof frameFault>
export type ConnectionFault = z.output<typeof connectionFault>
export type FaultAction = z.output<typeof action>
export type FaultRequest = z.output<typeof request>
/** The request as a caller writes it: defaults may be omitted. */
export type FaultRequestInput = z.input<typeof request>

export const FRAME_FAULT_KINDS: ReadonlySet<string> = new Set(
  frameFault.options.map((option) => option.shape.kind.value),
)

/** Throws OperatorError `bad_faults`, which lists every wrong field. */
export function parseFaultRequest(value: unknown): FaultRequest {
  const result = request.safeParse(value)
  if (result.success) return result.data
  throw new OperatorError('bad_faults', z.prettifyError(result.error), {
    hint: 'See the kinds of faults in infra/exchange/faults/spec.ts.',
  })
}
