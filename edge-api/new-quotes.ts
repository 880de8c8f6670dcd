/**
 * Answers the newest quote of an instrument ahead of routing, validation and the middleware that
 * sets headers, with the headers of the app's last answer of this kind. Access and rate limits come
 * first, as always. Anything unusual is left to the app: a name that this isolate does not know, a
 * quote that the current hour does not have, an error.
 *
 * The answer to a question that nobody asked lately goes to its caller alone, which costs least.
 * Any other is kept while it is fresh, and shared by all who ask.
 */
import type { ExecutionContext, MiddlewareHandler } from 'hono'
import { micros, SECOND_US, type Micros } from '#core/time.ts'
import { authorize, type Access } from './access/guard.ts'
import { scopeOf } from './access/scopes.ts'
import { createAskedLately } from './cache/asked-lately.ts'
import { entityTag } from './cache/entity-tag.ts'
import { type Flight, type Flights, NO_ANSWER } from './cache/flights.ts'
import { headerOf, type KeptAnswers, timed, type TimedAnswer } from './cache/kept-answers.ts'
import { isPlain } from './known-answers.ts'
import type { AskGateway } from './queries/gateway-quote.ts'
import type { Instrument } from './range/instruments.ts'
import { newestQuoteBody } from './formats/newest-quote.ts'
import type { Row } from './tables/table.ts'
import { FACTS, type RequestFacts } from './telemetry/request-facts.ts'

export interface NewQuotesOptions {
  readonly access: Access
  readonly kept: KeptAnswers
  readonly flights: Flights
  now(): Micros
  note(request: RequestFacts): void
  /** An instrument that was found lately, and whose symbol is on one exchange. */
  knownInstrument(symbol: string): Instrument | undefined
  /** Undefined: there is no gateway that answers with quotes. */
  readonly askGateway: AskGateway | undefined
  /** Undefined if the current hour has none. */
  recentQuote(instrument: Instrument, now: Micros, from: Micros): Promise<Row | undefined>
}

export interface NewQuotes {
  /** Undefined, or a promise of it: the app must answer. */
  find(request: Request, context: ExecutionContext): Promise<Response | undefined> | undefined
  /** Outermost, so that it sees the headers of the whole answer. */
  readonly learn: MiddlewareHandler
}

/** What all answers of this kind have in common. */
interface Template {
  readonly headers: Headers
  /** Those that are the same for every caller. */
  readonly kept_headers: readonly (readonly [name: string, value: string])[]
  readonly facts: RequestFacts
}

interface Tagged {
  readonly body: Uint8Array<ArrayBuffer>
  readonly etag: string
}

/** What the caller gets. */
interface Found {
  readonly body: Uint8Array<ArrayBuffer>
  readonly etag: string
  readonly cache: 'hit' | 'miss'
}

interface Asked {
  readonly path: string
  readonly key: string
  readonly instrument: Instrument
  readonly max_age_s: number | undefined
  readonly template: Template
}

/** Other spellings are left to the app. */
const URL_FORM =
  /^https?:\/\/[^/]+(\/v1\/quotes\/([A-Za-z0-9]{1,40})\/latest)(?:\?(max_age_s=[1-9]\d{0,4}))?$/
const ACCEPTED: ReadonlySet<string | null> = new Set([null, '', '*/*', 'application/json'])
const MAX_AGE_S = 86_400
/** A question that comes again within this time is worth keeping an answer for. */
const WANTED_US = 10 * SECOND_US

export function createNewQuotes(options: NewQuotesOptions): NewQuotes {
  const { access, kept, flights, askGateway, now, note } = options
  const wasAskedLately = createAskedLately(WANTED_US, now)
  const templates = new Map<boolean, Template>()

  const askedBy = (request: Request): Asked | undefined => {
    if (!isPlain(request) || !ACCEPTED.has(request.headers.get('accept'))) return undefined
    const template = templates.get(request.headers.has('authorization'))
    const [, path, symbol, search = ''] = (template && URL_FORM.exec(request.url)) ?? []
    const instrument = symbol === undefined ? undefined : options.knownInstrument(symbol)
    if (template === undefined || path === undefined || instrument === undefined) return undefined
    const max_age_s = search === '' ? undefined : Number(search.slice('max_age_s='.length))
    if (max_age_s !== undefined && max_age_s > MAX_AGE_S) return undefined
    return { path, key: `${path}?${search}#json`, instrument, max_age_s, template }
  }

  const quoteOf = async (asked: Asked): Promise<Tagged | 'none'> => {
    const { instrument, max_age_s } = asked
    const answer = await askGateway?.(instrument, max_age_s)
    if (answer !== undefined && answer !== 'not served') return answer
    const at = now()
    const from = max_age_s === undefined ? 0 : at - max_age_s * SECOND_US
    const row = await options.recentQuote(instrument, at, micros(from))
    if (row === undefined) return 'none'
    const body = newestQuoteBody(instrument, row, at, max_age_s)
    return { body, etag: await entityTag('', body) }
  }

  const make = async (asked: Asked): Promise<TimedAnswer> => {
    const quote = await quoteOf(asked)
    if (quote === 'none') throw NO_ANSWER
    const { body, etag } = quote
    const headers = [...asked.template.kept_headers, ['etag', etag] as const]
    return timed({ status: 200, headers, body }, now())
  }

  /** Undefined if it fails. Then those who wait for it make the answer. */
  const lead = async (
    asked: Asked,
    context: ExecutionContext,
  ): Promise<TimedAnswer | undefined> => {
    const { key } = asked
    // Before it settles, so that those who wait do not find it again.
    const land = (): void => {
      if (flights.get(key) === flight) flights.delete(key)
    }
    const entry = make(asked).then(
      (made) => {
        kept.set(key, made)
        land()
        return made
      },
      () => {
        land()
        throw NO_ANSWER
      },
    )
    const flight: Flight = { begun_at: now(), entry, is_shared: false }
    flights.set(key, flight)
    const settled = entry.catch(() => undefined)
    context.waitUntil(settled)
    return settled
  }

  const findAnswer = async (
    asked: Asked,
    context: ExecutionContext,
  ): Promise<Found | undefined> => {
    const { key, instrument, max_age_s } = asked
    const known = kept.get(key)
    if (known !== undefined && now() < known.fresh_until) return foundIn(known, 'hit')
    if (flights.has(key)) return undefined
    if (askGateway !== undefined && !wasAskedLately(key)) {
      const found = await askGateway(instrument, max_age_s).catch(() => 'none' as const)
      if (found === 'none') return undefined
      if (found !== 'not served') return { ...found, cache: 'miss' }
      if (flights.has(key)) return undefined
    }
    const made = await lead(asked, context)
    return made && foundIn(made, 'miss')
  }

  const answer = async (
    { headers }: Request,
    asked: Asked,
    context: ExecutionContext,
  ): Promise<Response | undefined> => {
    const begun_at = now()
    const caller = {
      authorization: headers.get('authorization') ?? undefined,
      address: headers.get('cf-connecting-ip') ?? undefined,
    }
    try {
      await authorize(access, caller, scopeOf(asked.path))
    } catch {
      return undefined
    }
    const found = await findAnswer(asked, context)
    if (found === undefined) return undefined
    const { body, etag, cache } = found
    const { headers: common, facts } = asked.template
    note({ ...facts, cache, duration_ms: (now() - begun_at) / 1_000, bytes: body.byteLength })
    common.set('etag', etag)
    return new Response(body, { headers: common })
  }

  return {
    find(request, context) {
      const asked = askedBy(request)
      return asked && answer(request, asked, context)
    },
    async learn(c, next) {
      await next()
      const { raw } = c.req
      const has_token = raw.headers.has('authorization')
      if (c.res.status !== 200 || templates.has(has_token) || !isPlain(raw)) return
      if (!ACCEPTED.has(raw.headers.get('accept')) || !URL_FORM.test(raw.url)) return
      const headers = new Headers(c.res.headers)
      headers.delete('age')
      const kept_headers = ['content-type', 'cache-control'].map(
        (name) => [name, headers.get(name) ?? ''] as const,
      )
      templates.set(has_token, { headers, kept_headers, facts: c.get(FACTS) as RequestFacts })
    },
  }
}

function foundIn({ answer }: TimedAnswer, cache: Found['cache']): Found {
  return { body: answer.body, etag: headerOf(answer, 'etag') ?? '', cache }
}
