/**
 * The shared cache in Redis. It is a shortcut and nothing else: while Redis is away, slow or full,
 * every read is a miss and every write is dropped. A bar's key has the version of its day
 * (state.ts), so a Redis that comes back with old contents has nothing that is still asked for.
 */
import { createClient } from '@redis/client'
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { SharedCache } from './bar-cache.ts'

export interface RedisOptions {
  readonly url: string
  /** Lifetime of an entry. */
  readonly lifetime_s: number
  readonly log: Logger
}

const PREFIX = 'booktape:clusters:'
/** A cache that takes longer costs more than it saves. */
const ANSWER_LIMIT_MS = 250
const RECONNECT_MS_MAX = 2_000
/** Commands that wait for an answer; beyond it, they are dropped. */
const WAITING_MAX = 1_000

/** Connects in the background. */
export function createRedisCache({ url, lifetime_s, log }: RedisOptions): SharedCache {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: WAITING_MAX,
    socket: {
      connectTimeout: RECONNECT_MS_MAX,
      reconnectStrategy: (attempt) => Math.min(50 * 2 ** attempt, RECONNECT_MS_MAX),
    },
  })
  let is_away = false
  client.on('error', (error: unknown) => {
    if (is_away) return
    is_away = true
    const facts = { code: 'redis_unreachable', error: describeError(error) }
    log.warn(facts, 'Redis does not respond; bars come from memory and Postgres.')
  })
  client.on('ready', () => {
    if (is_away) log.info('Redis responds again.')
    is_away = false
  })
  client.connect().catch(() => undefined)
  return {
    async getMany(keys) {
      if (!client.isReady) return []
      try {
        const names = keys.map((key) => PREFIX + key)
        const texts = await inTime(client.mGet(names))
        return texts.map((text) => text ?? undefined)
      } catch {
        return []
      }
    },
    setMany(entries) {
      if (!client.isReady) return
      for (const [key, text] of entries) {
        client
          .set(PREFIX + key, text, { expiration: { type: 'EX', value: lifetime_s } })
          .catch(() => undefined)
      }
    },
    async close() {
      client.destroy()
    },
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('Redis is slow.')), ANSWER_LIMIT_MS)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
