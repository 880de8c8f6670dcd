/**
 * Field ids of Iceberg: a column is known by its number, so that it could be renamed. Every file of
 * a table has the same ids, because columns are only ever added at the end.
 */

/** Of the column at this position of a table, counted from 0. */
export function fieldIdAt(position: number): number {
  return position + 1
}

/** Of `exchange`, which comes after the columns of an archived table. */
export const EXCHANGE_FIELD_ID = 9_000

/** Of the parts of a column that is a list of (price, qty). */
export function levelFieldIds(field_id: number): {
  readonly element: number
  readonly price: number
  readonly qty: number
} {
  const element = 10_000 + 10 * field_id
  return { element, price: element + 1, qty: element + 2 }
}
