/** Sends encoded rows into one table or staging table. */
import { from as copyFrom } from 'pg-copy-streams'
import type { Client } from '#core/node/pool.ts'
import { COPY_HEADER, COPY_TRAILER } from '#core/node/pg-copy/format.ts'
import { type CopyRows, copySql, sliceRows } from './copy-encoder.ts'

/** COPYs rows [from, to) into `target`, inside the open transaction of `client`. */
export function copyInto(
  client: Client,
  target: string,
  rows: CopyRows,
  from = 0,
  to = rows.row_count,
): Promise<void> {
  const stream = client.query(copyFrom(copySql(rows.table, target)))
  return new Promise((resolve, reject) => {
    stream.on('error', reject)
    stream.once('finish', resolve)
    stream.write(COPY_HEADER)
    stream.write(sliceRows(rows, from, to))
    stream.end(COPY_TRAILER)
  })
}
