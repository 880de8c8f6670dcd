/**
 * Sends one event, signed as https://www.standardwebhooks.com says: the receiver computes
 * HMAC-SHA256 of `id.timestamp.body` with the shared secret, and compares it with
 * `webhook-signature`.
 */
import { createHmac } from 'node:crypto'
import { lookup } from 'node:dns'
import * as http from 'node:http'
import * as https from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'

import type { WebhookSettings } from './settings.ts'

export interface WebhookEvent {
  /** The same in every attempt. */
  readonly id: string
  readonly body: string
}

/** `refused`: the receiver answered, but not with 2xx. `unreachable`: there was no answer. */
export type SendOutcome =
  | { readonly kind: 'confirmed' }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'unreachable'; readonly why: string }

/** From the first byte to the answer's head. */
const ANSWER_LIMIT_MS = 10_000

export function signatureOf(
  secret: Uint8Array,
  { id, body }: WebhookEvent,
  timestamp_s: number,
): string {
  const text = `${id}.${timestamp_s}.${body}`
  return `v1,${createHmac('sha256', secret).update(text).digest('base64')}`
}

/** Never throws. Redirects are not followed, and the answer's body is not read. */
export function sendEvent(
  { url, secret, refuses_private }: WebhookSettings,
  event: WebhookEvent,
  now_ms: number,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const timestamp_s = Math.floor(now_ms / 1_000)
  const target = new URL(url)
  const { request } = target.protocol === 'https:' ? https : http
  if (refuses_private && isPrivate(target.hostname.replaceAll(/[[\]]/g, ''))) {
    return Promise.resolve({ kind: 'unreachable', why: 'its address is private' })
  }
  return new Promise((resolve) => {
    const fail = (error: Error): void => resolve({ kind: 'unreachable', why: error.message })
    const sent = request(
      target,
      {
        method: 'POST',
        agent: false,
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]),
        ...(refuses_private ? { lookup: lookupPublic } : {}),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(event.body),
          'user-agent': 'booktape',
          'webhook-id': event.id,
          'webhook-timestamp': String(timestamp_s),
          'webhook-signature': signatureOf(secret, event, timestamp_s),
        },
      },
      (answer) => {
        const status = answer.statusCode ?? 0
        answer.on('error', () => undefined)
        answer.destroy()
        resolve(status >= 200 && status < 300 ? { kind: 'confirmed' } : { kind: 'refused', status })
      },
    )
    sent.on('error', fail)
    sent.end(event.body)
  })
}

/** Connects only to the address that was checked. */
const lookupPublic: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: false }, (error, address, family) => {
    const refusal =
      error === null && isPrivate(address) ? new Error('its address is private') : error
    if (options.all === true) done(refusal, [{ address, family }])
    else done(refusal, address, family)
  })
}

const PRIVATE = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(network, bits, 'ipv4')
}
for (const [network, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  PRIVATE.addSubnet(network, bits, 'ipv6')
}

/** IPv4 addresses inside IPv6 count as what they are. A name is no address. */
function isPrivate(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && PRIVATE.check(address, family === 6 ? 'ipv6' : 'ipv4')
}
