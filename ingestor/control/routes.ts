/**
 * The routes of an ingestor's admin API. view.ts builds their answers, changes.ts applies their
 * changes.
 */
import { z } from 'zod'
import type { Context } from 'hono'
import { type DoorApp, type DoorEnv, jsonBody } from '#core/node/door/app.ts'
import { CHANNELS } from '#core/market.ts'
import { badParameters, found, Problem } from '#core/problem.ts'
import { createNameFinder } from '../symbol-names.ts'
import type { DesiredState } from '../desired-state.ts'
import type { AuditEntry } from './audit-log.ts'
import type { ChangeRequest, Changes } from './changes.ts'
import { type EventHub, VIEWERS_MAX } from '#core/node/door/events.ts'
import type { StatusView, StreamView } from './view.ts'
import {
  ChannelsWire,
  Count,
  COUNT_MAX,
  DepthWire,
  depthFromWire,
  Names,
  RecordingWire,
  SymbolsWire,
  Tier,
} from './wire.ts'
import { TIERS } from '../symbol-tiers.ts'

export interface RouteDeps {
  status(): StatusView
  streams(): Promise<readonly StreamView[]>
  /** Symbols that are recorded now. */
  symbols(): readonly string[]
  audit(): readonly AuditEntry[]
  /** In the text format of Prometheus. */
  metrics(): Promise<{ readonly type: string; readonly text: string }>
  /** The wanted state by the environment alone. */
  readonly from_environment: DesiredState
  readonly changes: Changes
  readonly events: EventHub
}

type Ask = Context<DoorEnv>

const AUDIT_LIMIT = 100
const AUDIT_LIMIT_MAX = 1_000
const AuditLimit = z.coerce
  .number({ error: `a whole number from 1 to ${AUDIT_LIMIT_MAX}` })
  .refine((limit) => Number.isInteger(limit) && limit >= 1 && limit <= AUDIT_LIMIT_MAX, {
    error: `a whole number from 1 to ${AUDIT_LIMIT_MAX}`,
  })
const DryRun = z.enum(['true', 'false'], { error: 'true or false' })

const RecordingBody = z.strictObject({ state: RecordingWire })
const SymbolsBody = z.union(
  [
    z.strictObject({ symbols: SymbolsWire }),
    z.strictObject({ add: Names, remove: Names.optional() }),
    z.strictObject({ remove: Names }),
  ],
  { error: 'must be {"symbols":[…]}, {"symbols":"all"}, {"add":[…]}, {"remove":[…]} or both' },
)
const ScaleBody = z.union([z.strictObject({ count: Count }), z.strictObject({ tier: Tier })], {
  error: `must be {"count":1 to ${COUNT_MAX}} or {"tier":1 to ${TIERS.length}}`,
})
const ChannelsBody = z.strictObject({ channels: ChannelsWire })
const NothingBody = z.strictObject({})
const DepthBody = z.strictObject({ symbols: DepthWire })

export function addRoutes(app: DoorApp, deps: RouteDeps): void {
  app.get('/', (c) => c.json({ routes: routesOf(app) }))
  app.get('/status', (c) => {
    query(c, {})
    c.header('etag', deps.changes.etag)
    return c.json(deps.status())
  })
  app.get('/streams', async (c) => {
    const { symbol, channel } = query(c, {
      symbol: z.string().max(100, { error: 'a text of 100 characters at most' }).optional(),
      channel: z.enum(CHANNELS, { error: `one of ${CHANNELS.join(', ')}` }).optional(),
    })
    const all = await deps.streams()
    const is_wanted = (stream: StreamView): boolean =>
      (symbol === undefined || stream.symbol.toUpperCase() === symbol.toUpperCase()) &&
      (channel === undefined || stream.channel === channel)
    return c.json({ streams: all.filter(is_wanted) })
  })
  app.get('/audit', (c) => {
    const { limit } = query(c, {
      limit: AuditLimit.default(AUDIT_LIMIT),
    })
    return c.json({ entries: deps.audit().slice(-limit).toReversed() })
  })
  app.get('/metrics', async (c) => {
    const { type, text } = await deps.metrics()
    return c.body(text, 200, { 'content-type': type })
  })
  app.get('/events', (c) => {
    // HEAD is routed here too, and would never read the stream.
    if (c.req.method === 'HEAD') return c.body(null, 200, { 'content-type': 'text/event-stream' })
    const stream = deps.events.open(c.req.raw.signal)
    if (stream === undefined) {
      const detail = `${VIEWERS_MAX} viewers watch already.`
      throw new Problem(503, 'too_many_viewers', 'There are too many viewers.', detail)
    }
    return c.body(stream, 200, { 'content-type': 'text/event-stream' })
  })

  const change = async <T>(
    c: Ask,
    action: ChangeRequest['action'],
    body: z.ZodType<T>,
    wish: (now: DesiredState, asked: T) => DesiredState,
  ): Promise<Response> => {
    const { dry_run } = query(c, { dry_run: DryRun.optional() })
    const asked = await jsonBody(c.req.raw, body)
    const answer = await deps.changes.change({
      caller: c.get('caller'),
      action,
      request: asked,
      is_dry_run: dry_run === 'true',
      if_match: c.req.header('if-match'),
      idempotency_key: idempotencyKey(c),
      wish: (now) => wish(now, asked),
    })
    c.header('etag', answer.etag)
    return c.json(answer)
  }
  app.post('/recording', (c) =>
    change(c, 'recording', RecordingBody, (now, { state }) => ({ ...now, recording: state })),
  )
  app.put('/symbols', (c) =>
    change(c, 'symbols', SymbolsBody, (now, asked) => ({
      ...now,
      symbols: 'symbols' in asked ? asked.symbols : edited(deps.symbols(), asked),
    })),
  )
  app.post('/scale', (c) => change(c, 'scale', ScaleBody, (now, symbols) => ({ ...now, symbols })))
  app.put('/channels', (c) =>
    change(c, 'channels', ChannelsBody, (now, { channels }) => ({ ...now, channels })),
  )
  app.put('/depth', (c) =>
    change(c, 'depth', DepthBody, (now, { symbols }) => ({
      ...now,
      depth: depthFromWire(symbols),
    })),
  )
  app.delete('/desired', (c) => change(c, 'environment', NothingBody, () => deps.from_environment))
}

/** The symbols by name, with some added and others removed. */
function edited(
  names: readonly string[],
  {
    add = [],
    remove = [],
  }: { readonly add?: readonly string[]; readonly remove?: readonly string[] | undefined },
): readonly string[] {
  const find = createNameFinder(names)
  const gone = remove.map((name) => {
    const one = find(name)
    if (one.kind === 'found') return one.symbol
    throw new Problem(
      422,
      'symbol_not_recorded',
      'This symbol is not recorded.',
      `Not recorded: ${name}.`,
    )
  })
  const left = names.filter((name) => !gone.includes(name))
  const after = [...new Set([...left, ...add])]
  if (after.length > 0) return after
  const detail = 'Pause the recording instead: POST /recording {"state":"paused"}.'
  throw new Problem(422, 'no_symbols', 'No symbol would be left.', detail)
}

/** Unknown parameters are an error: a misspelt dry_run must not become a change. */
function query<Shape extends z.ZodRawShape>(c: Ask, shape: Shape): z.infer<z.ZodObject<Shape>> {
  const asked = c.req.queries()
  const repeated = Object.keys(asked).find((name) => asked[name]!.length > 1)
  const result = z.strictObject(shape).safeParse(c.req.query())
  if (result.success && repeated === undefined) return result.data as z.infer<z.ZodObject<Shape>>
  const allowed = `one of ${Object.keys(shape).join(', ') || 'none'}, each once`
  const bad = result.success
    ? [{ parameter: repeated!, found: null, allowed }]
    : result.error.issues.map(({ path, message }) => ({
        parameter: path.join('.') || found(Object.keys(asked).join(', '))!,
        found: found(c.req.query(String(path[0]))),
        allowed: path.length === 0 ? allowed : message,
      }))
  throw badParameters(bad)
}

function idempotencyKey(c: Ask): string | undefined {
  const key = c.req.header('idempotency-key')
  if (key === undefined || /^[\x21-\x7e]{1,128}$/.test(key)) return key
  const detail = 'Expected 1 to 128 printable characters without a space.'
  throw new Problem(400, 'bad_idempotency_key', 'The Idempotency-Key is not usable.', detail)
}

function routesOf(app: DoorApp): readonly string[] {
  const handlers = app.routes.filter(({ method }) => method !== 'ALL')
  return [...new Set(handlers.map(({ method, path }) => `${method} ${path}`))].toSorted()
}
