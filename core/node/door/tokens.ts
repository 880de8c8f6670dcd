/**
 * Bearer tokens of admin APIs: each has a name, which the audit log shows, and a scope. They are
 * named in the environment, as they are or as their SHA-256, and kept as SHA-256 only.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

export const DOOR_SCOPES = ['read', 'operate'] as const
/** `operate` includes `read`. */
export type DoorScope = (typeof DOOR_SCOPES)[number]

export interface DoorToken {
  readonly name: string
  readonly scope: DoorScope
  readonly sha256: Buffer
}

/** The form of a list of tokens, for messages after "must be". */
export const TOKENS_RULE =
  'a comma list of NAME:SCOPE:TOKEN; NAME is 1 to 32 letters, digits, "-" or "_", SCOPE is read or ' +
  'operate, TOKEN is 32 to 128 letters, digits, "-" or "_", or sha256=HEX of one'

const TOKEN_COUNT_MAX = 32
const ENTRY = /^([\w-]{1,32}):(read|operate):(?:sha256=([0-9a-f]{64})|([\w-]{32,128}))$/

/** Undefined if the text is not such a list, or repeats a name. */
export function parseTokens(text: string): readonly DoorToken[] | undefined {
  const entries = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (entries.length > TOKEN_COUNT_MAX) return undefined
  const tokens: DoorToken[] = []
  for (const entry of entries) {
    const [, name, scope, hex, plain] = ENTRY.exec(entry) ?? []
    if (name === undefined || tokens.some((token) => token.name === name)) return undefined
    const sha256 = plain === undefined ? Buffer.from(hex!, 'hex') : digest(plain)
    tokens.push({ name, scope: scope as DoorScope, sha256 })
  }
  return tokens
}

/** Compares with every token, in a time that does not depend on which of them it is. */
export function findToken(tokens: readonly DoorToken[], presented: string): DoorToken | undefined {
  const sha256 = digest(presented)
  let found: DoorToken | undefined
  for (const token of tokens) if (timingSafeEqual(token.sha256, sha256)) found = token
  return found
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
