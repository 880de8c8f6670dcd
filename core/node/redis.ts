/**
 * A Redis that is a shortcut and nothing else: while it is away, slow or full, a read has no answer
 * and a write is dropped. Connects in the background, and again after every disconnect.
 */
import { createClient } from '@redis/client'
import { describeError } from '#core/errors.ts'
import type { Logger } from './log.ts'

export type RedisClient = ReturnType<typeof openClient>

export interface Redis {
  /** The answer; undefined if there is none in time. */
  ask<T>(command: (client: RedisClient) => Promise<T>): Promise<T | undefined>
  /** Sends a command whose answer does not matter. */
  tell(command: (client: RedisClient) => Promise<unknown>): void
  close(): void
}

/** A cache that takes longer costs more than it saves. */
const ANSWER_LIMIT_MS = 250
const RECONNECT_MS_MAX = 2_000
/** Commands that wait for an answer; beyond it, they are dropped. */
const WAITING_MAX = 1_000

/** `without`: what happens without Redis, for the log. */
export function connectRedis(url: string, without: string, log: Logger): Redis {
  const client = openClient(url)
  let is_away = false
  client.on('error', (error: unknown) => {
    if (is_away) return
    is_away = true
    const facts = { code: 'redis_unreachable', error: describeError(error) }
    log.warn(facts, `Redis does not respond; ${without}.`)
  })
  client.on('ready', () => {
    if (is_away) log.info('Redis responds again.')
    is_away = false
  })
  client.connect().catch(() => undefined)
  return {
    async ask(command) {
      if (!client.isReady) return undefined
      try {
        return await inTime(command(client))
      } catch {
        return undefined
      }
    },
    tell(command) {
      if (client.isReady) command(client).catch(() => undefined)
    },
    close: () => client.destroy(),
  }
}

function openClient(url: string) {
  return createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: WAITING_MAX,
    socket: {
      connectTimeout: RECONNECT_MS_MAX,
      reconnectStrategy: (attempt) => Math.min(50 * 2 ** attempt, RECONNECT_MS_MAX),
    },
  })
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
