/** Prints the types of an OpenAPI document: its schemas, and each route's parameters and answer. */

type Json = Readonly<Record<string, unknown>>

export interface ApiDocument {
  readonly paths: Readonly<Record<string, { readonly get?: Operation }>>
  readonly components: { readonly schemas: Readonly<Record<string, Json>> }
}

interface Operation {
  readonly summary?: string
  readonly parameters?: readonly Parameter[]
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Json }>> }>
  >
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: Json
}

/** The rule for times in parameters: the README of the client says it once. */
const TIME_RULE = ' ISO 8601 with Z or an offset'

const HEAD = `/**
 * Types of the API: parameters and answers by path. Written by infra/client/write.ts from the
 * OpenAPI document; a test compares them.
 */
/* oxlint-disable max-lines -- One file of types, which nobody reads from top to bottom. */
`

export function printTypes({ paths, components }: ApiDocument): string {
  const schemas = Object.entries(components.schemas)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => `${comment(schema)}export type ${name} = ${typeOf(schema, '')}\n`)
  const operations = Object.entries(paths).flatMap(([path, { get }]) =>
    get === undefined ? [] : [{ path, operation: get }],
  )
  const shared = sharedParameters(operations.map(({ operation }) => operation))
  const routes = operations.map(({ path, operation }) => routeText(path, operation, shared))
  const fields = [...shared.values()].map((parameter) => parameterText(parameter, '  '))
  return [
    HEAD,
    ...schemas,
    `/** Parameters that are the same in several routes. */\ninterface Shared {\n${fields.join('')}}\n`,
    `export interface Api {\n${routes.join('')}}\n`,
  ].join('\n')
}

/** By name, the form of each parameter that the most routes have, and at least two. */
function sharedParameters(operations: readonly Operation[]): ReadonlyMap<string, Parameter> {
  const groups = Map.groupBy(
    operations.flatMap(({ parameters = [] }) => parameters),
    (parameter) => parameterText(parameter, ''),
  )
  const shared = new Map<string, Parameter>()
  const by_use = [...groups.values()].toSorted((a, b) => b.length - a.length)
  for (const [parameter, ...others] of by_use) {
    if (others.length > 0 && !shared.has(parameter!.name)) shared.set(parameter!.name, parameter!)
  }
  return new Map([...shared].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function parameterText(parameter: Parameter, indent: string): string {
  const { name, required = false, description, schema } = parameter
  const said = description ?? schema['description']
  const text = `${keyOf(name)}${required ? '' : '?'}: ${parameterType(schema)}`
  return `${comment({ description: said }, indent)}${indent}readonly ${text}\n`
}

function paramsType(
  { parameters = [] }: Operation,
  shared: ReadonlyMap<string, Parameter>,
): string {
  if (parameters.length === 0) return 'Record<string, never>'
  const isShared = (parameter: Parameter): boolean => {
    const known = shared.get(parameter.name)
    return known !== undefined && parameterText(known, '') === parameterText(parameter, '')
  }
  const picked = parameters.filter(isShared).map(({ name }) => literal(name))
  const own = parameters.filter((parameter) => !isShared(parameter))
  const fields = own.map((parameter) => parameterText(parameter, '      ')).join('')
  return [
    ...(picked.length > 0 ? [`Pick<Shared, ${picked.join(' | ')}>`] : []),
    ...(own.length > 0 ? [`{\n${fields}    }`] : []),
  ].join(' & ')
}

function routeText(
  path: string,
  operation: Operation,
  shared: ReadonlyMap<string, Parameter>,
): string {
  const { summary } = operation
  const head = summary === undefined ? '' : comment({ description: summary }, '  ')
  return `${head}  readonly '${path}': {
    readonly params: ${paramsType(operation, shared)}
    readonly answer: ${answerType(operation)}
    readonly is_table: ${hasContent(operation, 'application/vnd.apache.arrow.stream')}
  }
`
}

function hasContent({ responses }: Operation, type: string): boolean {
  return responses['200']?.content?.[type] !== undefined
}

function answerType({ responses }: Operation): string {
  const schema = responses['200']?.content?.['application/json']?.schema
  return schema === undefined ? 'unknown' : typeOf(schema, '    ')
}

/** Numbers and flags may be given as such; times also as a Date or a number. */
function parameterType(schema: Json): string {
  const values = schema['enum'] as readonly unknown[] | undefined
  if (values !== undefined) return values.map(literal).join(' | ')
  if (isTime(schema)) return 'string | number | Date'
  if (isList(schema)) return 'string | readonly string[]'
  if (schema['type'] === 'string') return 'string'
  return schema['type'] === 'boolean' ? 'boolean' : 'number'
}

function isTime({ description }: Json): boolean {
  return typeof description === 'string' && description.includes('number since 1970')
}

function isList({ description }: Json): boolean {
  return typeof description === 'string' && description.startsWith('Comma-separated')
}

function typeOf(schema: Json, indent: string): string {
  const ref = schema['$ref']
  if (typeof ref === 'string') return ref.slice(ref.lastIndexOf('/') + 1)
  const values = schema['enum'] as readonly unknown[] | undefined
  if (values !== undefined) return orNull(values.map(literal).join(' | '), schema, values)
  if ('const' in schema) return literal(schema['const'])
  for (const key of ['oneOf', 'anyOf'] as const) {
    const options = schema[key] as readonly Json[] | undefined
    if (options !== undefined) return options.map((one) => typeOf(one, indent)).join(' | ')
  }
  const all = schema['allOf'] as readonly Json[] | undefined
  if (all !== undefined) return all.map((one) => typeOf(one, indent)).join(' & ')
  const types = [(schema['type'] ?? 'unknown') as string | readonly string[]].flat()
  return types.map((type) => plainType(type, schema, indent)).join(' | ')
}

function orNull(text: string, schema: Json, values: readonly unknown[]): string {
  const types = [schema['type']].flat()
  return types.includes('null') && !values.includes(null) ? `${text} | null` : text
}

function plainType(type: string, schema: Json, indent: string): string {
  switch (type) {
    case 'object':
      return objectType(schema, indent)
    case 'array':
      return arrayType(schema, indent)
    case 'integer':
      return 'number'
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return type
    default:
      return 'unknown'
  }
}

function arrayType(schema: Json, indent: string): string {
  const fixed = schema['prefixItems'] as readonly Json[] | undefined
  if (fixed !== undefined) return `readonly [${fixed.map((one) => typeOf(one, indent)).join(', ')}]`
  const items = schema['items'] as Json | undefined
  const inner = items === undefined ? 'unknown' : typeOf(items, indent)
  return /[ |&]/.test(inner) && !inner.startsWith('{')
    ? `readonly (${inner})[]`
    : `readonly ${inner}[]`
}

function objectType(schema: Json, indent: string): string {
  const properties = schema['properties'] as Readonly<Record<string, Json>> | undefined
  if (properties === undefined) {
    const others = schema['additionalProperties']
    const inner = typeof others === 'object' ? typeOf(others as Json, indent) : 'unknown'
    return `Readonly<Record<string, ${inner}>>`
  }
  const required = (schema['required'] ?? []) as readonly string[]
  const fields = Object.entries(properties).map(([name, property]) => {
    const mark = required.includes(name) ? '' : '?'
    const said = comment(property, `${indent}  `)
    return `${said}${indent}  readonly ${keyOf(name)}${mark}: ${typeOf(property, `${indent}  `)}\n`
  })
  return `{\n${fields.join('')}${indent}}`
}

const COLUMNS_MAX = 100

function comment({ description }: Json, indent = ''): string {
  if (typeof description !== 'string') return ''
  const text = description.split(TIME_RULE)[0]!.replaceAll('*/', '*\\/')
  const words = text.split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) return ''
  if (`${indent}/** ${words.join(' ')} */`.length <= COLUMNS_MAX) {
    return `${indent}/** ${words.join(' ')} */\n`
  }
  const lines: string[] = []
  let line = `${indent} *`
  for (const word of words) {
    if (line.length + 1 + word.length > COLUMNS_MAX) {
      lines.push(line)
      line = `${indent} *`
    }
    line += ` ${word}`
  }
  return `${indent}/**\n${[...lines, line].join('\n')}\n${indent} */\n`
}

function keyOf(name: string): string {
  return /^[a-z_]\w*$/i.test(name) ? name : `'${name}'`
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "\\'")}'` : String(value)
}
