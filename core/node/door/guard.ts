/**
 * Who may call an admin API. Over its unix socket: every user who may open the file. Over the
 * network: a token, and nothing that a web page elsewhere could have sent through somebody's
 * browser.
 */
import { isIP } from 'node:net'
import { Problem } from '#core/problem.ts'
import { type DoorScope, type DoorToken, findToken } from './tokens.ts'

/** Over which of its two ways a request came. */
export type Way = 'unix' | 'tcp'

export interface Caller {
  /** Of the token; `local` over the unix socket. With "for NAME" where the caller says for whom. */
  readonly name: string
  readonly scope: DoorScope
  /** `unix socket`, or the address. */
  readonly origin: string
}

export interface GuardOptions {
  readonly tokens: readonly DoorToken[]
  /** Names, besides addresses and localhost, under which it may be called over the network. */
  readonly hosts: readonly string[]
  /** Who shows no token may read: for what listens on loopback alone. */
  readonly is_open_to_read?: boolean
}

export interface Approach {
  readonly way: Way
  readonly address: string | undefined
  readonly headers: Headers
}

/** Errors: Problem 401, 403. */
export function admit({ way, address, headers }: Approach, options: GuardOptions): Caller {
  const host = headers.get('host') ?? ''
  // Programs may call a socket's file by any name. What comes from a page may not.
  const is_checked = way === 'tcp' || headers.has('origin')
  if (is_checked && !isOurName(host, options.hosts)) {
    throw refused('host_not_allowed', `This API is not called ${shorten(host)}.`)
  }
  const origin = headers.get('origin')
  const is_foreign = origin !== null && !isPageOf(origin, host)
  if (is_foreign || headers.get('sec-fetch-site') === 'cross-site') {
    throw refused('origin_not_allowed', 'Pages of other origins may not call this API.')
  }
  const suffix = onBehalfOf(headers.get('booktape-actor'))
  if (way === 'unix') return { name: `local${suffix}`, scope: 'operate', origin: 'unix socket' }
  if (options.is_open_to_read === true && !headers.has('authorization')) {
    return { name: `anyone${suffix}`, scope: 'read', origin: address ?? 'unknown' }
  }
  const [, presented] = /^Bearer ([\w-]{1,256})$/i.exec(headers.get('authorization') ?? '') ?? []
  const token = presented === undefined ? undefined : findToken(options.tokens, presented)
  if (token === undefined) throw unauthorized(headers.has('authorization'))
  return { name: token.name + suffix, scope: token.scope, origin: address ?? 'unknown' }
}

/** Errors: Problem 403. */
export function requireScope(caller: Caller, scope: DoorScope): void {
  if (scope === 'read' || caller.scope === 'operate') return
  throw refused('scope_missing', 'This token lacks the scope "operate".')
}

/**
 * A page whose name was pointed at this machine (DNS rebinding) sends that name. An address cannot
 * be pointed anywhere.
 */
function isOurName(host: string, hosts: readonly string[]): boolean {
  const [, name = ''] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d{1,5})?$/i.exec(host) ?? []
  const bare = name.replace(/^\[|\]$/g, '').toLowerCase()
  return bare === 'localhost' || isIP(bare) !== 0 || hosts.includes(bare)
}

/** Both may name the port that is usual for the origin's scheme, or leave it out. */
function isPageOf(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false
  const page = new URL(origin)
  const called = `${page.protocol}//${host}`
  return URL.canParse(called) && page.host !== '' && new URL(called).host === page.host
}

/** A program that calls for people says for whom: the console, which has tokens of its own. */
function onBehalfOf(actor: string | null): string {
  if (actor === null) return ''
  if (/^[\w.@-]{1,64}$/.test(actor)) return ` for ${actor}`
  throw new Problem(
    400,
    'bad_actor',
    'The header Booktape-Actor is not a name.',
    'Expected 1 to 64 letters, digits or any of . @ - _',
  )
}

function unauthorized(was_presented: boolean): Problem {
  const detail = was_presented
    ? 'This token is not known here.'
    : 'Send Authorization: Bearer TOKEN.'
  const headers = { 'www-authenticate': 'Bearer' }
  return new Problem(401, 'unauthorized', 'A token is needed.', detail, { headers })
}

function refused(code: string, detail: string): Problem {
  return new Problem(403, code, 'This is not allowed.', detail)
}

function shorten(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}
