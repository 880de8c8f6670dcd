/** Where to deploy to, checked before anything reaches a shell. */
import { isIP } from 'node:net'
import { OperatorError } from '#core/errors.ts'

export interface Target {
  /** As ssh takes it: user@host, or a name of the ssh configuration. */
  readonly destination: string
  readonly port: number | undefined
  readonly identity: string | undefined
  readonly ssh_config: string | undefined
}

const DESTINATION =
  /^(?:[a-z_][a-z0-9_.-]{0,31}@)?([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[?[0-9a-fA-F:]+\]?)$/
const DOMAIN =
  /^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/
/** Unix sockets under it have paths of 107 bytes at most. */
const PREFIX = /^\/[\w./-]{0,60}$/

/** Errors: OperatorError bad_target. */
export function checkDestination(text: string): string {
  if (DESTINATION.test(text)) return text.replace(/\[|\]/g, '')
  throw new OperatorError('bad_target', `${JSON.stringify(text)} is not user@host.`, {
    hint: 'Name a user and a host, an address, or a Host of your ssh configuration.',
  })
}

/** Errors: OperatorError bad_domain. */
export function checkDomain(text: string): string {
  const domain = text.toLowerCase()
  if (DOMAIN.test(domain) && isIP(domain) === 0) return domain
  throw new OperatorError('bad_domain', `${JSON.stringify(text)} is not a domain name.`, {
    hint: 'Name the host that the console and the gateway are called by, such as tape.example.com.',
  })
}

/** Errors: OperatorError bad_prefix. */
export function checkPrefix(text: string): string {
  if (PREFIX.test(text) && !text.split('/').includes('..')) return text
  throw new OperatorError('bad_prefix', `${JSON.stringify(text)} cannot be a prefix.`, {
    hint: 'Name an absolute path of letters, digits, dots, dashes and underscores, up to 60 bytes.',
  })
}

/** For a POSIX shell; nothing in it has a meaning. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
