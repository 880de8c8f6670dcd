/** Rows and pages of a range table, as zod schemas for the OpenAPI document. */
import { z } from '@hono/zod-openapi'
import type { ColumnKind, RangeColumn, RangeTable } from '../tables/table.ts'
import { decimal, instrumentShape, pageShape, time } from './schema-parts.ts'

/** One schema per column. */
export function rowShape({ columns }: Pick<RangeTable, 'columns'>): Record<string, z.ZodType> {
  return Object.fromEntries(columns.map((column) => [column.name, cellSchema(column)]))
}

/** No column is required: a request with `columns` gets rows without the other columns. */
export function pageSchema(
  table: Pick<RangeTable, 'row_name' | 'columns'>,
  head: z.ZodRawShape = {},
) {
  const row = z.object(rowShape(table)).partial().openapi(table.row_name)
  return z
    .object({ ...instrumentShape, ...head, ...pageShape, rows: z.array(row) })
    .openapi(`${table.row_name}Page`)
}

function cellSchema({ kind, nullable, unit, description }: RangeColumn): z.ZodType {
  const schema = kindSchema(kind, `${description} [${unit}]`)
  return nullable ? schema.nullable() : schema
}

function kindSchema(kind: ColumnKind, description: string): z.ZodType {
  switch (kind) {
    case 'time':
      return time(description)
    case 'id':
      return z.int().openapi({ description })
    case 'price':
      return decimal(description, '61800.20')
    case 'qty':
      return decimal(description, '0.500')
    case 'number':
      return z.number().openapi({ description })
    case 'flag':
      return z.boolean().openapi({ description })
    case 'text':
      return z.string().openapi({ description })
    case 'levels':
      return z
        .array(z.tuple([decimal('price', '61800.20'), decimal('quantity', '0.500')]))
        .openapi({ description })
  }
}
