/** The part of the ingestor's environment that is about its admin API. */
import { join } from 'node:path'
import { z } from 'zod'
import { list, oneOf, whole } from '#core/environment.ts'
import { type DoorToken, parseTokens, TOKENS_RULE } from '#core/node/door/tokens.ts'

/** Where the admin API listens, and who may use it. */
export interface ControlConfig {
  /** Path of the unix socket; undefined: no socket. */
  readonly socket_path: string | undefined
  /** Undefined: no TCP port. */
  readonly tcp: { readonly host: string; readonly port: number } | undefined
  readonly tokens: readonly DoorToken[]
  /** Host names that requests may use, besides addresses and localhost. */
  readonly hosts: readonly string[]
  /** False: no metric has a label `symbol`. */
  readonly has_symbol_metrics: boolean
}

/** Next to the tape. */
export const SOCKET_NAME = 'control.sock'

const Tokens = z
  .string()
  .default('')
  .transform(parseTokens)
  .refine((tokens) => tokens !== undefined, { error: `must be ${TOKENS_RULE}` })
  .transform((tokens) => tokens ?? [])

export const CONTROL_VARIABLES = {
  CONTROL_SOCKET: z.string().default(''),
  CONTROL_HOST: z.string().min(1, { error: 'is empty' }).default('127.0.0.1'),
  CONTROL_PORT: whole({ min: 0, max: 65_535, standard: 0 }),
  CONTROL_TOKENS: Tokens,
  CONTROL_HOSTS: z
    .string()
    .default('')
    .transform((text) => list(text.toLowerCase())),
  METRICS_PER_SYMBOL: oneOf(['0', '1'], '1'),
}

const Variables = z.object(CONTROL_VARIABLES)

export function controlConfig(e: z.infer<typeof Variables>, tape_dir: string): ControlConfig {
  return Object.freeze({
    socket_path:
      e.CONTROL_SOCKET === 'off' ? undefined : e.CONTROL_SOCKET || join(tape_dir, SOCKET_NAME),
    tcp:
      e.CONTROL_PORT === 0
        ? undefined
        : Object.freeze({ host: e.CONTROL_HOST, port: e.CONTROL_PORT }),
    tokens: e.CONTROL_TOKENS,
    hosts: e.CONTROL_HOSTS,
    has_symbol_metrics: e.METRICS_PER_SYMBOL === '1',
  })
}
