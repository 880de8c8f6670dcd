/**
 * Every route of the OpenAPI document with good, missing, wrong, outlying and hostile values, then
 * thousands of mixtures: none causes a server error, and every answer is as the document says.
 * More on demand: FUZZ_REQUESTS=100000 FUZZ_SEED=7 npx vitest run test/edge-api/inputs.test.ts
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { is_long } from '../support/long.ts'
import { startClusterEngine } from './cluster-engine.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { fillForInputs, fuzz, statusOf } from './fuzz.ts'
import { goodValues, HOSTILE, outOfRange, questionOf, wrongTypes } from './hostile.ts'
import { startEdge } from './support.ts'

const REQUEST_COUNT = Number(process.env['FUZZ_REQUESTS'] ?? (is_long ? 10_000 : 500))
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_240_808)

const edge = await startEdge()
const reported: unknown[] = []
const app = composeApp(
  { ...edge.bindings, ...(await startClusterEngine(edge)).bindings },
  {
    now: () => fromMillis(Date.parse('2024-08-09T00:00:00Z')),
    report: (error) => reported.push(error),
  },
)
const ask: Ask = async (path, init) => app.request(path, init)
const contract: Contract = await readContract(ask)
const operations = Object.entries(contract.paths).map(([pattern, { get }]) => ({
  pattern,
  parameters: get.parameters ?? [],
}))

beforeAll(() => fillForInputs(edge))

/** The required parameters of the route, with values from the document. */
function needed(parameters: (typeof operations)[number]['parameters']): Record<string, string> {
  const required = parameters.filter((one) => one.required === true)
  return Object.fromEntries(required.map((one) => [one.name, goodValues(one)[0] ?? '1']))
}

describe.each(operations)('$pattern', ({ pattern, parameters }) => {
  const least = needed(parameters)
  const ask1 = (values: Readonly<Record<string, string>>) =>
    statusOf(ask, contract, questionOf(pattern, parameters, { ...least, ...values }))

  test('good: the required parameters, and every example of the document, are answered', async () => {
    expect([200, 302]).toContain(await ask1({}))
    for (const one of parameters) {
      for (const value of goodValues(one)) {
        // An exchange may not list the symbol, and a time may have no book.
        const allowed =
          one.schema.enum === undefined && one.schema.type !== 'integer'
            ? [200, 302]
            : [200, 302, 400, 404]
        expect(allowed, `${one.name}=${value}`).toContain(await ask1({ [one.name]: value }))
      }
    }
  })

  test('missing: a required parameter that is left out is named', async () => {
    for (const { name, required, in: place } of parameters) {
      if (required !== true || place !== 'query') continue
      const { [name]: _, ...rest } = least
      const response = await ask(questionOf(pattern, parameters, rest).path)
      expect([400, 422]).toContain(response.status)
      expect(await response.text()).toContain(name)
    }
  })

  test('wrong type and out of range: refused, or answered with nothing', async () => {
    for (const one of parameters) {
      for (const value of [...wrongTypes(one), ...outOfRange(one)]) {
        if (one.in === 'path' && value === '') continue
        const status = await ask1({ [one.name]: value })
        // A valid name or time may have no data.
        const is_free = one.schema.type === 'string' && one.schema.enum === undefined
        expect(is_free ? [200, 400, 404, 422] : [400, 404, 422], `${one.name}=${value}`).toContain(
          status,
        )
      }
    }
  })

  test('hostile: SQL, paths and headers have no effect', async () => {
    for (const one of parameters) {
      for (const value of HOSTILE) {
        const status = await ask1({ [one.name]: value })
        expect([200, 400, 404, 422], `${one.name}=${value.slice(0, 40)}`).toContain(status)
      }
    }
    for (const value of HOSTILE) {
      const { path } = questionOf(pattern, parameters, least)
      const unknown = `${path}${path.includes('?') ? '&' : '?'}${encodeURIComponent(value.toWellFormed())}=1`
      const response = await ask(unknown)
      expect(response.status, unknown.slice(0, 100)).not.toBe(500)
      await contract.check(path, response)
    }
  })
})

test(`${REQUEST_COUNT} random mixtures (seed ${SEED}) are each answered as the document says`, async () => {
  const shares = await fuzz(ask, contract, { seed: SEED, count: REQUEST_COUNT })
  // A fuzzer that only meets refusals tests one line of code.
  expect(shares[200]).toBeGreaterThan(0.05)
  expect(shares[400]).toBeGreaterThan(0.05)
})

test('hostile headers change nothing', async () => {
  for (const [name, value] of [
    ['accept', 'x'.repeat(5_000)],
    ['accept', "application/json; q=1'; drop table x"],
    ['if-none-match', '"x", W/"y", *'.repeat(200)],
    ['range', 'bytes=0-1,2-3,-1'],
    ['authorization', 'Bearer '],
    ['x-forwarded-host', 'evil.example'],
    ['x-http-method-override', 'DELETE'],
    ['origin', 'null'],
    ['content-length', '99999999999'],
  ] as const) {
    const response = await ask('/v1/quotes/BTCUSDT', { headers: { [name]: value } })
    expect([200, 304, 401, 406], `${name}: ${value.slice(0, 30)}`).toContain(response.status)
    expect(await response.text()).not.toContain('evil.example')
  }
})

test('every example in the document matches its schema', () => {
  const { schemas } = contract.document['components'] as { schemas: Record<string, Schema> }
  const examples = Object.values(schemas).flatMap(examplesOf)
  expect(examples.length).toBeGreaterThan(20)
  for (const { schema, example } of examples) {
    const { example: _, ...plain } = schema
    const result = z.fromJSONSchema(plain).safeParse(example)
    expect(result.success, JSON.stringify(schema)).toBe(true)
  }
})

interface Schema {
  readonly example?: unknown
  readonly [key: string]: unknown
}

function examplesOf(schema: Schema): { schema: Schema; example: unknown }[] {
  const own = 'example' in schema && 'type' in schema ? [{ schema, example: schema.example }] : []
  const inner = Object.entries(schema).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && key !== 'example'
      ? examplesOf(value as Schema)
      : [],
  )
  return [...own, ...inner]
}

test('nothing of all this was a fault of ours', () => expect(reported).toEqual([]))
