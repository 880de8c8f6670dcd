/**
 * A proxy between the ingestor and the exchange's REST API. It counts the used weight, refused
 * requests, and requests that ignore a Retry-After.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RestAccount {
  readonly request_count: number
  readonly snapshot_count: number
  /** The largest weight that the exchange counted in one minute. */
  readonly used_weight_max: number
  /** Requests refused because of the exchange's weight limit. */
  readonly over_limit_count: number
  /** Requests refused by a fault, with a Retry-After. */
  readonly pause_count: number
  /** Book snapshots refused by a fault. */
  readonly refused_snapshot_count: number
  /** Requests during a Retry-After, PAUSE_GRACE_MS or more after it was sent. */
  readonly in_pause_count: number
}

export interface WeighingProxy {
  readonly url: string
  account(): RestAccount
  /** After a kill: the next ingestor cannot know of a Retry-After before its start. */
  forgetPause(): void
  stop(): Promise<void>
}

/** Requests already on their way cannot know of the Retry-After. */
const PAUSE_GRACE_MS = 500
const WEIGHT_HEADER = 'x-mbx-used-weight-1m'

export async function startWeighingProxy(exchange_url: string): Promise<WeighingProxy> {
  const counts = {
    request_count: 0,
    snapshot_count: 0,
    used_weight_max: 0,
    over_limit_count: 0,
    pause_count: 0,
    refused_snapshot_count: 0,
    in_pause_count: 0,
  }
  const no_pause = { from_ms: -Infinity, until_ms: -Infinity }
  let pause = no_pause

  const forward = async (path: string): Promise<Response> => {
    const now_ms = performance.now()
    counts.request_count++
    if (path.includes('/depth')) counts.snapshot_count++
    if (now_ms > pause.from_ms + PAUSE_GRACE_MS && now_ms < pause.until_ms) counts.in_pause_count++
    const response = await fetch(exchange_url + path)
    const used_weight = response.headers.get(WEIGHT_HEADER)
    counts.used_weight_max = Math.max(counts.used_weight_max, Number(used_weight ?? 0))
    if (response.status === 429 || response.status === 418) {
      const answered_ms = performance.now()
      const is_new = answered_ms > pause.until_ms
      if (used_weight !== null) counts.over_limit_count++
      else {
        if (is_new) counts.pause_count++
        if (path.includes('/depth')) counts.refused_snapshot_count++
      }
      const until_ms = answered_ms + Number(response.headers.get('retry-after') ?? 0) * 1_000
      pause = { from_ms: is_new ? answered_ms : pause.from_ms, until_ms }
    }
    return response
  }

  const server = createServer((request, response) => {
    forward(request.url ?? '/').then(
      async (answer) => {
        const names = ['content-type', 'retry-after', WEIGHT_HEADER]
        for (const name of names) {
          const value = answer.headers.get(name)
          if (value !== null) response.setHeader(name, value)
        }
        response.writeHead(answer.status).end(await answer.text())
      },
      () => response.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    account: () => ({ ...counts }),
    forgetPause: () => {
      pause = no_pause
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
