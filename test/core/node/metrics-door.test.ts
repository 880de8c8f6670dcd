/** GET /metrics of a program without an admin API: off by default, and only with a token. */
import { request } from 'node:http'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { silentLogger } from '#core/node/log.ts'
import { createMetrics, one } from '#core/node/metrics.ts'
import {
  hasMetricsToken,
  METRICS_VARIABLES,
  metricsDoorConfig,
  openMetricsDoor,
} from '#core/node/door/metrics-door.ts'

const TOKEN = 't'.repeat(32)
const Variables = z.object(METRICS_VARIABLES)

const metrics = createMetrics('test')
let value: number | undefined = 4
metrics.gauge({ name: 'test_known', help: 'A test.' }, () =>
  value === undefined ? [] : one(value),
)
const config = metricsDoorConfig(
  Variables.parse({ METRICS_PORT: '1', METRICS_TOKENS: `p:read:${TOKEN}` }),
)!
const door = await openMetricsDoor({ ...config, port: 0 }, metrics, silentLogger)
afterAll(() => door.close())

function get(
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(`${door.endpoint}${path}`, { headers }, async (response) => {
      let text = ''
      for await (const chunk of response) text += String(chunk)
      resolve({ status: response.statusCode, text })
    })
    asked.on('error', reject).end()
  })
}

test('nothing is served without a port, and a port without a token is an error', () => {
  expect(metricsDoorConfig(Variables.parse({}))).toBeUndefined()
  expect(hasMetricsToken(Variables.parse({ METRICS_PORT: '9000' }))).toBe(false)
  expect(config.host).toBe('127.0.0.1')
})

test('the access rules are those of the admin API', async () => {
  const authorization = `Bearer ${TOKEN}`
  const statusOf = async (headers: Readonly<Record<string, string>>) =>
    (await get('/metrics', headers)).status
  expect(await statusOf({ authorization })).toBe(200)
  expect(await statusOf({})).toBe(401)
  expect(await statusOf({ authorization: 'Bearer wrong' })).toBe(401)
  expect(await statusOf({ authorization, host: 'evil.example' })).toBe(403)
  expect(await statusOf({ authorization, origin: 'https://evil.example' })).toBe(403)
  expect((await get('/status', { authorization })).status).toBe(404)
})

test('what is not known is absent, and comes back', async () => {
  const authorization = `Bearer ${TOKEN}`
  const lines = async () =>
    (await get('/metrics', { authorization })).text.match(/^test_known.*$/gm) ?? []
  expect(await lines()).toEqual(['test_known 4'])
  value = undefined
  expect(await lines()).toEqual([])
  value = 0
  expect(await lines()).toEqual(['test_known 0'])
})
