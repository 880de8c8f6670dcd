/**
 * What old generators do not know and the converter to OpenAPI 3.0 leaves in a document: tuples
 * (their `items` remain), unions (any value instead), and null among the values of an enum, which
 * `nullable` says.
 */
export function withoutNewWords(document: string): string {
  const plain = JSON.parse(document, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value
    if ('oneOf' in value) return {}
    const { prefixItems: _tuple, ...schema } = value as { readonly prefixItems?: unknown }
    if (Array.isArray(value)) return value
    if (!('nullable' in schema && 'enum' in schema)) return schema
    return { ...schema, enum: (schema.enum as readonly unknown[]).filter((one) => one !== null) }
  }) as unknown
  return JSON.stringify(plain)
}
