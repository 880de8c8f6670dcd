/**
 * The cache of an edge location in Redis, which several servers of the API share. An entry is the
 * headers as JSON, a line break, and the body. Without Redis nothing is cached beyond the process.
 */
import { RESP_TYPES } from '@redis/client'
import type { Redis } from '#core/node/redis.ts'
import type { HttpCache } from '../cache/http-cache.ts'
import { maxAgeOf } from './max-age.ts'

const PREFIX = 'booktape:edge:'
const LINE_BREAK = 10

export function createRedisCache(redis: Redis): HttpCache {
  return {
    async match(url) {
      const entry = await redis.ask((client) =>
        client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get(PREFIX + url),
      )
      if (!(entry instanceof Buffer)) return undefined
      const end = entry.indexOf(LINE_BREAK)
      const headers = JSON.parse(entry.toString('utf8', 0, end)) as [string, string][]
      return new Response(Uint8Array.from(entry.subarray(end + 1)), { headers })
    },
    async put(url, response) {
      const { headers } = response
      const fresh_s = maxAgeOf(headers)
      const body = Buffer.from(await response.arrayBuffer())
      if (fresh_s === 0) return
      const entry = Buffer.concat([Buffer.from(`${JSON.stringify([...headers])}\n`), body])
      const expiration = { type: 'EX', value: fresh_s } as const
      redis.tell((client) => client.set(PREFIX + url, entry, { expiration }))
    },
  }
}
