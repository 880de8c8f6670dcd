/**
 * Caches answers as their Cache-Control allows, and answers concurrent equal requests with one call
 * of the route. It runs after access control and before the routes.
 *
 * 1. Fresh answers come from the isolate's memory. Answers that stay fresh for ten seconds or more
 *    are also stored in the cache of the edge location, which its isolates share.
 * 2. Among concurrent equal requests, one calls the route. The others wait for its answer, or get
 *    the previous answer at once if its stale-while-revalidate allows that.
 * 3. Answers have an ETag. A request with this ETag in If-None-Match gets a 304.
 */
import type { Context, MiddlewareHandler, Next } from 'hono'
import { micros, SECOND_US, type Micros } from '#core/time.ts'
import { withDeadline } from '#core/waiting.ts'
import { acceptedFormat } from '../formats/format.ts'
import { bodyOf } from '../memory/body-parts.ts'
import { ANSWER_BYTES, OWN_BYTES } from '../memory/send-body.ts'
import { CACHE_OUTCOME } from '../telemetry/request-facts.ts'
import { entityTag, namesTag } from './entity-tag.ts'
import { type Flight, type Flights, NO_ANSWER } from './flights.ts'
import type { HttpCache } from './http-cache.ts'
import {
  ANSWER_BYTES_MAX,
  headerOf,
  KEPT,
  type KeptAnswer,
  type KeptAnswers,
  timed,
  type TimedAnswer,
} from './kept-answers.ts'

export interface AnswerCacheOptions {
  now(): Micros
  readonly cache: HttpCache
  /** Memory of the isolate. */
  readonly kept: KeptAnswers
  readonly flights: Flights
}

/** Paths whose answers are the same for all callers: no signed URLs, no state of the service. */
const SHARED = /^\/(?:v1\/(?!datasets\/[^/]+\/|jobs|validation)|prices(?:\/|$)|stats$|data\/)/
/** Headers that are cached. The others (CORS, security) depend on the request. */
const HEADERS = ['content-type', 'cache-control', 'etag', 'link', 'retry-after'] as const
const ORIGIN = 'https://answers.invalid'
/** Answers that are fresh for less are not worth storing in the edge location's cache. */
const EDGE_FRESH_US = 10 * SECOND_US
/** Answers about the present: asking the cache for one costs as much as the query. */
const FLEETING = /^\/v1\/(?:quotes\/(?:[^/]+\/)?latest|book\/[^/]+)$/
const MADE_AT = 'x-made-at'
/** A leader whose caller disconnected may never finish. After this long others stop waiting. */
const WAIT_US = 5 * SECOND_US

export function createAnswerCache({
  now,
  cache,
  kept,
  flights,
}: AnswerCacheOptions): MiddlewareHandler {
  /** The answer from the edge location's cache, or else from the route. */
  const make = async (key: string, c: Context, next: Next): Promise<TimedAnswer> => {
    // If the last answer was short-lived, the edge location's cache does not have it.
    const last = kept.get(key)
    const may_last = last === undefined ? !FLEETING.test(c.req.path) : isLasting(last)
    const found = may_last ? await readEdge(cache, key) : undefined
    if (found !== undefined && now() < found.fresh_until) return found
    c.set(CACHE_OUTCOME, 'miss')
    await next()
    const answer = await takeAnswer(c.res, c.get(ANSWER_BYTES))
    const entry = timed({ ...answer, error: c.error }, now())
    const { status, body } = entry.answer
    const is_small = body.byteLength <= ANSWER_BYTES_MAX
    if (status === 200 && is_small && isLasting(entry)) await writeEdge(cache, key, entry)
    return entry
  }

  const lead = async (key: string, c: Context, next: Next): Promise<TimedAnswer> => {
    const flight: Flight = { begun_at: now(), entry: make(key, c, next), is_shared: false }
    flights.set(key, flight)
    keepRunning(c, flight.entry)
    try {
      const entry = await flight.entry
      const is_good = entry.answer.status === 200 && entry.fresh_until > entry.made_at
      const is_kept = is_good && kept.set(key, entry)
      if (!is_kept && !flight.is_shared) c.set(OWN_BYTES, true)
      return entry
    } finally {
      if (flights.get(key) === flight) flights.delete(key)
    }
  }

  const find = async (key: string, c: Context, next: Next): Promise<TimedAnswer> => {
    const entry = kept.get(key)
    if (entry !== undefined && now() < entry.fresh_until) return entry
    const flight = flights.get(key)
    if (flight === undefined || now() >= flight.begun_at + WAIT_US) return lead(key, c, next)
    if (entry !== undefined && now() < entry.stale_until) return entry
    flight.is_shared = true
    try {
      return await withDeadline(flight.entry, WAIT_US / 1_000, () => NO_ANSWER)
    } catch (error) {
      if (error !== NO_ANSWER) throw error
      return find(key, c, next)
    }
  }

  return async (c, next) => {
    if (!SHARED.test(c.req.path) || !['GET', 'HEAD'].includes(c.req.method)) return next()
    c.set(CACHE_OUTCOME, 'hit')
    const key = keyOf(c)
    const entry = await find(key, c, next)
    c.set(KEPT, { key, entry })
    const { answer, made_at } = entry
    give(c, answer, Math.floor((now() - made_at) / SECOND_US))
  }
}

function isLasting({ fresh_until, made_at }: TimedAnswer): boolean {
  return fresh_until - made_at >= EDGE_FRESH_US
}

/** The same key for all spellings of the same request. */
function keyOf(c: Context): string {
  const { pathname, searchParams } = new URL(c.req.url)
  searchParams.sort()
  const form = acceptedFormat(c.req.header('accept')) ?? 'none'
  return `${pathname}?${searchParams.toString()}#${form}`
}

async function takeAnswer(response: Response, made?: Uint8Array<ArrayBuffer>): Promise<KeptAnswer> {
  const body = made ?? new Uint8Array(await response.arrayBuffer())
  const headers = HEADERS.flatMap((name): [string, string][] => {
    const value = response.headers.get(name)
    return value === null ? [] : [[name, value]]
  })
  if (response.status === 200 && !response.headers.has('etag')) {
    headers.push(['etag', await entityTag('', body)])
  }
  return { status: response.status, headers, body }
}

/** Sends the answer to this caller, and keeps headers that were set for its request. */
function give(c: Context, answer: KeptAnswer, age_s: number): void {
  const tag = headerOf(answer, 'etag')
  const is_known = tag !== undefined && namesTag(c.req.header('if-none-match'), tag)
  const response = is_known
    ? new Response(null, { status: 304 })
    : new Response(bodyOf(answer.body), { status: answer.status })
  for (const [name, value] of answer.headers) {
    if (!is_known || name !== 'content-type') response.headers.set(name, value)
  }
  c.set(ANSWER_BYTES, answer.body)
  c.error = answer.error
  if (age_s > 0) response.headers.set('age', String(age_s))
  // Hono keeps headers that were set before: CORS, and its own Vary.
  c.res = response
  if (!/\baccept\b/i.test(c.res.headers.get('vary') ?? '')) c.res.headers.append('vary', 'accept')
}

async function readEdge(cache: HttpCache, key: string): Promise<TimedAnswer | undefined> {
  const response = await cache.match(edgeUrl(key)).catch(() => undefined)
  if (response === undefined) return undefined
  return timed(await takeAnswer(response), micros(Number(response.headers.get(MADE_AT))))
}

async function writeEdge(
  cache: HttpCache,
  key: string,
  { answer, made_at }: TimedAnswer,
): Promise<void> {
  const headers = new Headers(
    answer.headers.map(([name, value]): [string, string] => [name, value]),
  )
  headers.set(MADE_AT, String(made_at))
  // If the cache is full or broken, answers are only slower.
  const copy = new Response(bodyOf(answer.body), { headers })
  await cache.put(edgeUrl(key), copy).catch(() => undefined)
}

function edgeUrl(key: string): string {
  return `${ORIGIN}${key.replace('#', '&form=')}`
}

/** Finishes the answer for the waiting requests even if the leader's caller disconnects. */
function keepRunning(c: Context, entry: Promise<TimedAnswer>): void {
  const done = entry.then(
    () => undefined,
    () => undefined,
  )
  try {
    c.executionCtx.waitUntil(done)
  } catch {
    // Outside a worker there is no execution context.
  }
}
