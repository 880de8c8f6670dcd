/**
 * The routes by which operators change something. The console changes nothing itself: it calls the
 * ingestors, which write their own audit logs, and puts jobs into the queue.
 */
import { randomUUID } from 'node:crypto'
import type { Context } from 'hono'
import { z } from 'zod'
import { type DoorApp, type DoorEnv, jsonBody } from '#core/node/door/app.ts'
import type { Pool } from '#core/node/pool.ts'
import { Problem } from '#core/problem.ts'
import { enqueueJob } from './data/jobs.ts'
import type { IngestorRequest } from './ingestors/client.ts'
import type { Fleet } from './ingestors/fleet.ts'
import { DayText, query } from './query.ts'
import type { Watch } from './state/watch.ts'
import type { ChangeOutcome } from './wire.ts'

export interface ManageDeps {
  readonly pool: Pool
  readonly fleet: Fleet
  readonly watch: Watch
}

type Ask = Context<DoorEnv>
type Step = Pick<IngestorRequest, 'method' | 'path' | 'body'>

const CHANGE_MS = 25_000
const Ingestors = z.array(z.string().min(1).max(100)).min(1).max(64)
const Symbols = z.array(z.string().min(1).max(64)).min(1).max(2_000)
const Count = z.int().min(1).max(10_000)

const StartBody = z.strictObject({ ingestors: Ingestors.optional(), symbols: Symbols.optional() })
const StopBody = z.strictObject({ ingestors: Ingestors.optional() })
const ScaleBody = z.union([
  z.strictObject({ ingestors: Ingestors.optional(), count: Count }),
  z.strictObject({ ingestors: Ingestors.optional(), tier: Count }),
])
const SymbolsBody = z.strictObject({
  ingestors: Ingestors.optional(),
  symbols: z.union([z.literal('all'), Symbols]).optional(),
  add: Symbols.optional(),
  remove: Symbols.optional(),
})
const JobBody = z.strictObject({ job: z.string().min(1).max(64), date: DayText.optional() })

export function addManageRoutes(app: DoorApp, { pool, fleet, watch }: ManageDeps): void {
  const change = async (
    c: Ask,
    ids: readonly string[],
    steps: readonly Step[],
  ): Promise<Response> => {
    const { dry_run } = query(c, {
      dry_run: z.enum(['true', 'false'], { error: 'true or false' }).optional(),
    })
    const suffix = dry_run === 'true' ? '?dry_run=true' : ''
    const headers = headersOf(c)
    const outcomes = await Promise.all(
      ids.map(async (id) => {
        let outcome: ChangeOutcome | undefined
        for (const [index, step] of steps.entries()) {
          outcome = await carryOut(fleet, id, {
            ...step,
            path: `${step.path}${suffix}`,
            headers: { ...headers, 'idempotency-key': `${headers['idempotency-key']}.${index}` },
            limit_ms: CHANGE_MS,
          })
          if (!outcome.is_done) break
        }
        return outcome!
      }),
    )
    watch.lookNow()
    // If the change was for one ingestor and it refused, pass its refusal on.
    const [only] = outcomes
    const refusal = outcomes.length === 1 && only?.is_done === false ? only : undefined
    if (refusal !== undefined && refusal.status > 0) {
      return new Response(JSON.stringify(refusal.answer), {
        status: refusal.status,
        headers: { 'content-type': 'application/problem+json' },
      })
    }
    return c.json({ outcomes }, outcomes.every(({ is_done }) => is_done) ? 200 : 502)
  }
  app.post('/start', async (c) => {
    const { ingestors, symbols } = await jsonBody(c.req.raw, StartBody)
    const ids = symbols === undefined ? everyone(fleet, ingestors) : one(fleet, ingestors)
    const start = { method: 'POST', path: '/recording', body: { state: 'recording' } } as const
    const choose = { method: 'PUT', path: '/symbols', body: { symbols } } as const
    return change(c, ids, symbols === undefined ? [start] : [choose, start])
  })
  app.post('/stop', async (c) => {
    const { ingestors } = await jsonBody(c.req.raw, StopBody)
    const stop = { method: 'POST', path: '/recording', body: { state: 'paused' } } as const
    return change(c, everyone(fleet, ingestors), [stop])
  })
  app.post('/scale', async (c) => {
    const { ingestors, ...body } = await jsonBody(c.req.raw, ScaleBody)
    return change(c, one(fleet, ingestors), [{ method: 'POST', path: '/scale', body }])
  })
  app.put('/symbols', async (c) => {
    const { ingestors, ...body } = await jsonBody(c.req.raw, SymbolsBody)
    return change(c, one(fleet, ingestors), [{ method: 'PUT', path: '/symbols', body }])
  })
  app.post('/jobs', async (c) => {
    const { job, date } = await jsonBody(c.req.raw, JobBody)
    const id = await enqueueJob(pool, c.get('caller'), job, date, keyOf(c))
    watch.lookNow()
    return c.json({ queue_id: id }, 202)
  })
}

async function carryOut(
  fleet: Fleet,
  ingestor_id: string,
  request: IngestorRequest,
): Promise<ChangeOutcome> {
  const asked = fleet.ask(ingestor_id, request)
  try {
    if (asked === undefined) throw new Error('it can only be asked on its own machine')
    const { status, body } = await asked
    return { ingestor_id, is_done: status === 200, status, answer: body }
  } catch (error) {
    return { ingestor_id, is_done: false, status: 0, answer: { detail: (error as Error).message } }
  }
}

/** The named ingestors, or all that have not stopped. Errors: Problem 404, 409. */
function everyone(fleet: Fleet, named: readonly string[] | undefined): readonly string[] {
  const views = fleet.views()
  const unknown = named?.find((id) => !views.some(({ ingestor_id }) => ingestor_id === id))
  if (unknown !== undefined) {
    const known = views.map(({ ingestor_id }) => ingestor_id).join(', ') || 'none'
    throw new Problem(404, 'no_such_ingestor', 'There is no such ingestor.', `Known are: ${known}.`)
  }
  const ids =
    named ?? views.filter(({ reach }) => reach !== 'stopped').map(({ ingestor_id }) => ingestor_id)
  if (ids.length > 0) return ids
  throw new Problem(
    409,
    'no_ingestor',
    'There is no ingestor to ask.',
    'Start one: ingestor/main.ts.',
  )
}

/**
 * Changes that depend on the exchange must name ingestors, unless there is one. Errors: Problem.
 */
function one(fleet: Fleet, named: readonly string[] | undefined): readonly string[] {
  const ids = everyone(fleet, named)
  if (named !== undefined || ids.length === 1) return ids
  const detail = `Name them in "ingestors": ${ids.join(', ')}.`
  throw new Problem(400, 'ingestor_needed', 'There are several ingestors.', detail)
}

/** One character less for each that is appended for a step. Errors: Problem 400. */
function keyOf(c: Ask): string {
  const key = c.req.header('idempotency-key') ?? randomUUID()
  if (/^[\x21-\x7e]{1,126}$/.test(key)) return key
  const detail = 'Expected 1 to 126 printable characters without a space.'
  throw new Problem(400, 'bad_idempotency_key', 'The Idempotency-Key is not usable.', detail)
}

function headersOf(
  c: Ask,
): Readonly<Record<string, string>> & { readonly 'idempotency-key': string } {
  const if_match = c.req.header('if-match')
  return {
    // The ingestors' audit logs record the person who asked.
    'booktape-actor': c
      .get('caller')
      .name.replaceAll(/[^\w.@-]/g, '-')
      .slice(0, 64),
    'idempotency-key': keyOf(c),
    ...(if_match === undefined ? {} : { 'if-match': if_match }),
  }
}
