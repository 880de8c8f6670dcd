/**
 * The shared cache in Redis (core/node/redis.ts). A bar's key has the version of its day
 * (state.ts), so a Redis that comes back with old contents has nothing that is still asked for.
 */
import type { Logger } from '#core/node/log.ts'
import { connectRedis } from '#core/node/redis.ts'
import type { SharedCache } from './bar-cache.ts'

export interface RedisOptions {
  readonly url: string
  /** Lifetime of an entry. */
  readonly lifetime_s: number
  readonly log: Logger
}

const PREFIX = 'booktape:clusters:'

/** Connects in the background. */
export function createRedisCache({ url, lifetime_s, log }: RedisOptions): SharedCache {
  const redis = connectRedis(url, 'bars come from memory and Postgres', log)
  return {
    async getMany(keys) {
      const names = keys.map((key) => PREFIX + key)
      const texts = await redis.ask((client) => client.mGet(names))
      return (texts ?? []).map((text) => text ?? undefined)
    },
    setMany(entries) {
      for (const [key, text] of entries) {
        redis.tell((client) =>
          client.set(PREFIX + key, text, { expiration: { type: 'EX', value: lifetime_s } }),
        )
      }
    },
    async close() {
      redis.close()
    },
  }
}
