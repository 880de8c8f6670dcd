/**
 * Tools that do not know `prefixItems`, among them generators of clients, need `items`: gives each
 * tuple of the document, in place, what its elements are.
 */
export function addTupleItems(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  Object.values(node).forEach(addTupleItems)
  const { prefixItems } = node as { readonly prefixItems?: unknown }
  if (!Array.isArray(prefixItems)) return
  const types = [...new Set(prefixItems.map(typeOf))].map((type) => ({ type }))
  Object.assign(node, { items: types.length === 1 ? types[0] : { anyOf: types } })
}

function typeOf(schema: { readonly type?: unknown }): unknown {
  return schema.type
}
