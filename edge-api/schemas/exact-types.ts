/**
 * Makes the types of the OpenAPI document exact for generators of clients. Without `format` many
 * read ids as 32-bit integers and prices of indexes as 32-bit floats. Those that do not know
 * `prefixItems` need `items`.
 */
interface Schema {
  readonly type?: unknown
  readonly maximum?: number
  readonly prefixItems?: unknown
}

const INT32_MAX = 2_147_483_647

/** Gives each number its size, and each tuple what its elements are; changes the document. */
export function addExactTypes(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  const { type, maximum = Infinity, prefixItems } = node as Schema
  if (Array.isArray(prefixItems)) {
    const types = [...new Set(prefixItems.map(typeOf))].map((one) => ({ type: one }))
    Object.assign(node, { items: types.length === 1 ? types[0] : { oneOf: types } })
  }
  const types = [type].flat()
  if (types.includes('number')) Object.assign(node, { format: 'double' })
  if (types.includes('integer')) {
    Object.assign(node, { format: maximum > INT32_MAX ? 'int64' : 'int32' })
  }
  Object.values(node).forEach(addExactTypes)
}

function typeOf(schema: Schema): unknown {
  return schema.type
}
