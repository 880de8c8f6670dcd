/** Where events are sent, and how they are signed. */
import { z } from 'zod'
import { oneOf, urlOf, whole } from '#core/environment.ts'

export interface WebhookSettings {
  readonly url: string
  /** Key of the signatures. */
  readonly secret: Buffer
  readonly refuses_private: boolean
  /** An event that was not confirmed for so long is given up [ms]. */
  readonly give_up_ms: number
}

const HOUR_MS = 3_600_000
const SECRET_BYTES = { min: 24, max: 64 }
const PREFIX = 'whsec_'

/** Variables of the daemon's environment. */
export const WEBHOOK_VARIABLES = {
  WEBHOOK_URL: orEmpty(urlOf('http', 'https')),
  WEBHOOK_SECRET: orEmpty(
    z.string().refine((text) => keyOf(text) !== undefined, {
      error: `must be ${PREFIX} and base64 of ${SECRET_BYTES.min} to ${SECRET_BYTES.max} bytes`,
    }),
  ),
  WEBHOOK_PRIVATE_ADDRESSES: oneOf(['allow', 'refuse'], 'allow'),
  WEBHOOK_GIVE_UP_H: whole({ min: 1, max: 720, standard: 72, what: 'whole hours' }),
}

const Variables = z.object(WEBHOOK_VARIABLES)
type Read = z.output<typeof Variables>

export const hasWebhookSecret = (read: Pick<Read, 'WEBHOOK_URL' | 'WEBHOOK_SECRET'>): boolean =>
  (read.WEBHOOK_URL === undefined) === (read.WEBHOOK_SECRET === undefined)

export const WEBHOOK_RULE = { path: ['WEBHOOK_SECRET'], error: 'goes together with WEBHOOK_URL' }

/** Undefined: there is no webhook. */
export function webhookSettings(read: Read): WebhookSettings | undefined {
  const { WEBHOOK_URL: url, WEBHOOK_SECRET: text } = read
  const secret = text === undefined ? undefined : keyOf(text)
  if (url === undefined || secret === undefined) return undefined
  return Object.freeze({
    url,
    secret,
    refuses_private: read.WEBHOOK_PRIVATE_ADDRESSES === 'refuse',
    give_up_ms: read.WEBHOOK_GIVE_UP_H * HOUR_MS,
  })
}

/** An empty variable is one that is not set. */
function orEmpty<Schema extends z.ZodType<string>>(schema: Schema) {
  return z.preprocess((text) => (text === '' ? undefined : text), schema.optional())
}

function keyOf(text: string): Buffer | undefined {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  const key = Buffer.from(text.slice(PREFIX.length), 'base64')
  return key.length >= SECRET_BYTES.min && key.length <= SECRET_BYTES.max ? key : undefined
}
