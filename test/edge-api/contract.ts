/** Checks answers against the OpenAPI document that the app serves. */
import { expect } from 'vitest'
import { z } from 'zod'

type Json = { readonly [key: string]: unknown }
export type Ask = (path: string, init?: RequestInit) => Promise<Response>

export interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema: {
    readonly type?: string
    readonly enum?: readonly string[]
    readonly minimum?: number
    readonly maximum?: number
    readonly example?: string | number
    readonly format?: string
  }
}

interface Operation extends Json {
  readonly operationId: string
  readonly parameters?: readonly Parameter[]
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema: Json }>> }>
  >
}

export interface Contract {
  readonly document: Json
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>
  /**
   * The body, of a type that the caller knows. Throws if status, media type or body do not match
   * the document for this path.
   */
  check<Body = Json>(path: string, response: Response): Promise<Body>
}

export async function readContract(ask: Ask): Promise<Contract> {
  const response = await ask('/openapi.json')
  expect(response.status).toBe(200)
  const document = (await response.json()) as Json
  const paths = document['paths'] as Contract['paths']
  const { schemas } = document['components'] as { schemas: Readonly<Record<string, Json>> }
  const $defs = Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, strict(schema)]),
  )
  const compiled = new Map<string, z.ZodType>()
  const check = async <Body>(path: string, answer: Response): Promise<Body> => {
    // A status without a body has nothing to check, and its caller reads nothing.
    const none = {} as Body
    const pattern = template(paths, path)
    const declared = paths[pattern]!.get.responses[String(answer.status)]
    expect(declared, `${path} may answer ${answer.status}`).toBeDefined()
    if (declared!.content === undefined) return none
    const media = answer.headers.get('content-type')?.split(';')[0] ?? ''
    expect(Object.keys(declared!.content)).toContain(media)
    if (!/^application\/(?:problem\+)?json$/.test(media)) return none
    const body = (await answer.json()) as Body
    const place = `${pattern} ${answer.status} ${media}`
    const schema =
      compiled.get(place) ??
      z.fromJSONSchema({ ...strict(declared!.content[media]!.schema), $defs })
    compiled.set(place, schema)
    const result = schema.safeParse(body)
    expect(result.error?.issues ?? [], `${path}: ${JSON.stringify(body).slice(0, 300)}`).toEqual([])
    return body
  }
  return { document, paths, check }
}

/** The templated path that a concrete one belongs to; the one with the fewest parameters wins. */
function template(paths: Contract['paths'], path: string): string {
  const plain = path.split('?')[0]!
  const matching = Object.keys(paths).filter((candidate) =>
    new RegExp(`^${candidate.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(plain),
  )
  const [best] = matching.toSorted((a, b) => a.split('{').length - b.split('{').length)
  if (best === undefined) throw new Error(`${path} is not in the OpenAPI document`)
  return best
}

/** Refuses properties that the document does not name, and follows references inside one schema. */
function strict(schema: Json): z.core.JSONSchema.JSONSchema {
  const result: z.core.JSONSchema.JSONSchema = {}
  for (const [key, inner] of Object.entries(schema)) {
    result[key] =
      key === '$ref' ? String(inner).replace('#/components/schemas/', '#/$defs/') : within(inner)
  }
  if (result['type'] === 'object' && 'properties' in result)
    result['additionalProperties'] ??= false
  return result
}

function within(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(within)
  return typeof value === 'object' && value !== null ? strict(value as Json) : value
}
