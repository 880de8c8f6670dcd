/**
 * Answers a request that was answered before, with the same bytes and headers, ahead of routing,
 * validation and the middleware that sets headers. Access and rate limits come first, as always.
 */
import type { MiddlewareHandler } from 'hono'
import { SECOND_US, type Micros } from '#core/time.ts'
import { authorize, type Access } from './access/guard.ts'
import { scopeOf } from './access/scopes.ts'
import { PART_BYTES } from './memory/body-parts.ts'
import { FACTS, type RequestFacts } from './telemetry/request-facts.ts'
import { KEPT, type Kept, type KeptAnswers } from './cache/kept-answers.ts'

export interface KnownAnswersOptions {
  readonly access: Access
  readonly kept: KeptAnswers
  now(): Micros
  note(request: RequestFacts): void
}

export interface KnownAnswers {
  /** Undefined, or a promise of it: the app must answer. */
  find(request: Request): Promise<Response | undefined> | undefined
  /** Outermost, so that it sees the headers of the whole answer. */
  readonly remember: MiddlewareHandler
}

interface KnownAnswer extends Kept {
  readonly path: string
  readonly headers: Headers
  /** What the header says; 0 if there is none. */
  age_s: number
  readonly facts: RequestFacts
}

/** Spellings of requests that are remembered. */
const COUNT_MAX = 5_000
const NAME_CHARS_MAX = 1_000
/** These change the answer, or its headers, in ways that only the app knows. */
const SPECIAL = ['if-none-match', 'origin', 'upgrade', 'range'] as const

export function createKnownAnswers(options: KnownAnswersOptions): KnownAnswers {
  const { access, kept, now, note } = options
  const known = new Map<string, KnownAnswer>()

  const answer = async (
    { headers }: Request,
    found: KnownAnswer,
  ): Promise<Response | undefined> => {
    const begun_at = now()
    const caller = {
      authorization: headers.get('authorization') ?? undefined,
      address: headers.get('cf-connecting-ip') ?? undefined,
    }
    try {
      await authorize(access, caller, scopeOf(found.path))
    } catch {
      return undefined
    }
    const age_s = Math.floor((begun_at - found.entry.made_at) / SECOND_US)
    if (age_s !== found.age_s) {
      found.headers.set('age', String(age_s))
      found.age_s = age_s
    }
    note({ ...found.facts, duration_ms: (now() - begun_at) / 1_000 })
    return new Response(found.entry.answer.body, { headers: found.headers })
  }

  return {
    find(request) {
      const name = nameOf(request)
      const found = name === undefined ? undefined : known.get(name)
      if (found === undefined) return undefined
      const { key, entry } = found
      if (kept.get(key) === entry && now() < entry.fresh_until) return answer(request, found)
      known.delete(name!)
      return undefined
    },
    async remember(c, next) {
      await next()
      const answered = c.get(KEPT) as Kept | undefined
      if (answered === undefined || c.res.status !== 200) return
      const { key, entry } = answered
      const name = nameOf(c.req.raw)
      const is_small = entry.answer.body.byteLength <= PART_BYTES
      if (!is_small || kept.get(key) !== entry || name === undefined) return
      if (known.size >= COUNT_MAX) known.clear()
      const facts: RequestFacts = {
        ...(c.get(FACTS) as RequestFacts),
        cache: 'hit',
        source: 'none',
      }
      const headers = new Headers(c.res.headers)
      const age_s = Number(headers.get('age') ?? 0)
      known.set(name, { key, entry, path: c.req.path, headers, age_s, facts })
    },
  }
}

/** Requests of the same name get the same answer. Undefined: only the app can tell. */
function nameOf({ method, url, headers }: Request): string | undefined {
  if (!isPlain({ method, headers }) || url.length > NAME_CHARS_MAX) return undefined
  const accept = headers.get('accept') ?? ''
  if (accept.length > NAME_CHARS_MAX) return undefined
  // An answer to a token says that it is private.
  return `${url} ${headers.has('authorization') ? 'token' : ''} ${accept}`
}

/** Whether every such request of a URL and a form gets the same headers. */
export function isPlain({ method, headers }: Pick<Request, 'method' | 'headers'>): boolean {
  return method === 'GET' && !SPECIAL.some((name) => headers.has(name))
}
