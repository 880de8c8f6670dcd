import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { parseConfig } from '../../../edge-api/gateway/config.ts'
import { CONSOLE_CONNECTIONS } from '../../../infra/console/server.ts'
import { parseFeaturesSettings } from '../../../jobs/config.ts'
import {
  createConnectionBudget,
  DAEMON_CONNECTIONS,
  HEAVY_CONNECTIONS,
  HEAVY_PROCESSES,
} from '../../../jobs/schedule/connections.ts'

/** The smallest plans have 25, of which Postgres reserves three for superusers; two are spare. */
const FOR_ALL = 20
/** One for rows, one for repair, one for the heartbeat. */
const INGESTOR = 3

test('all programs together fit a small server, and two connections are left', () => {
  const gateway = parseConfig({ DATABASE_URL: 'postgres://a@b/c', GATEWAY_SECRET: 'x'.repeat(16) })
  const { thread_count } = parseFeaturesSettings({})
  const jobs = DAEMON_CONNECTIONS + HEAVY_PROCESSES * HEAVY_CONNECTIONS + thread_count
  const others = gateway.limits.pool_max + INGESTOR + CONSOLE_CONNECTIONS
  expect(jobs + others).toBeLessThanOrEqual(FOR_ALL)
})

test('work waits for its connections in turn, and returns them when it fails', async () => {
  const budget = createConnectionBudget(4)
  const begun: string[] = []
  const ends = new Map<string, PromiseWithResolvers<void>>()
  const take = (name: string, count: number): Promise<void> =>
    budget.take(count, () => {
      begun.push(name)
      const end = Promise.withResolvers<void>()
      ends.set(name, end)
      return end.promise
    })
  const first = take('first', 3)
  const second = take('second', 2)
  const third = take('third', 1)
  await turn()
  expect(begun).toEqual(['first'])
  ends.get('first')!.reject(new Error('gone'))
  await expect(first).rejects.toThrow('gone')
  await turn()
  expect(begun).toEqual(['first', 'second', 'third'])
  for (const name of ['second', 'third']) ends.get(name)!.resolve()
  await Promise.all([second, third])
  await expect(budget.take(5, async () => undefined)).rejects.toThrow('There are 4 connections.')
})
