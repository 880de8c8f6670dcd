/**
 * GET /metrics for programs without an admin API, with the same access rules: TCP only if a port is
 * set, on loopback unless a host is set, and only with a token.
 */
import { z } from 'zod'
import { nameList, whole } from '#core/environment.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { createDoorApp, type DoorApp } from './app.ts'
import { type OpenDoor, openTcpDoor } from './listen.ts'
import { type DoorToken, parseTokens, TOKENS_RULE } from './tokens.ts'

export interface MetricsDoorConfig {
  readonly host: string
  readonly port: number
  readonly tokens: readonly DoorToken[]
  /** Host names, besides IP addresses and localhost, that requests may use. */
  readonly hosts: readonly string[]
}

const HOSTS_MAX = 32

/** Variables of the program's environment. */
export const METRICS_VARIABLES = {
  METRICS_HOST: z.string().min(1, { error: 'is empty' }).default('127.0.0.1'),
  METRICS_PORT: whole({ min: 0, max: 65_535, standard: 0, what: 'a port' }),
  METRICS_TOKENS: z
    .string()
    .default('')
    .transform(parseTokens)
    .refine((tokens) => tokens !== undefined, { error: `must be ${TOKENS_RULE}` })
    .transform((tokens) => tokens ?? []),
  METRICS_HOSTS: nameList({
    standard: '',
    min: 0,
    max: HOSTS_MAX,
    isName: (text) => /^[\w.-]{1,253}$/.test(text),
    what: 'host names',
  }),
}

const Variables = z.object(METRICS_VARIABLES)
type Read = z.output<typeof Variables>

/** For zod's refine: a port without a token could never be read. */
export const hasMetricsToken = (read: Read): boolean =>
  read.METRICS_PORT === 0 || read.METRICS_TOKENS.length > 0
export const METRICS_TOKEN_RULE = {
  path: ['METRICS_TOKENS'],
  error: 'must have a token if METRICS_PORT is set',
}

/** Undefined: metrics are not served. */
export function metricsDoorConfig(read: Read): MetricsDoorConfig | undefined {
  if (read.METRICS_PORT === 0) return undefined
  return Object.freeze({
    host: read.METRICS_HOST,
    port: read.METRICS_PORT,
    tokens: read.METRICS_TOKENS,
    hosts: read.METRICS_HOSTS.map((name) => name.toLowerCase()),
  })
}

/** Errors: OperatorError control_port_taken. */
export async function openMetricsDoor(
  config: MetricsDoorConfig,
  metrics: Pick<Metrics, 'content_type' | 'text'>,
  log: Logger,
): Promise<OpenDoor> {
  const { tokens, hosts, host, port } = config
  const app = createDoorApp({ tokens, hosts, statuses: {}, log })
  addMetricsRoute(app, metrics)
  const door = await openTcpDoor(app, host, port)
  log.info({ url: `${door.endpoint}/metrics` }, 'Metrics are served.')
  return door
}

export function addMetricsRoute(
  app: DoorApp,
  metrics: Pick<Metrics, 'content_type' | 'text'>,
): void {
  app.get('/metrics', async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': metrics.content_type }),
  )
}
