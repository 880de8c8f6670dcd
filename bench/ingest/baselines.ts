/** The baselines: raw COPY, and the usual way. */
import { inTransaction, type Pool } from '#core/node/pool.ts'
import { RAW_TABLES } from '#core/tables.ts'
import { copyInto } from '../../ingestor/writer/copy.ts'
import type { CopyRows } from '../../ingestor/writer/copy-encoder.ts'
import { joinRows, RowBuffer } from '../../ingestor/writer/row-buffer.ts'
import {
  type Channel,
  CHANNELS,
  type EventRange,
  prepared,
  type WorkloadEvent,
} from './workload.ts'

/** The writer's limit. */
const COPY_ROWS = 20_000
const INSERT_ROWS = 500

export type SymbolIds = ReadonlyMap<string, number>
type Row = Readonly<Record<string, string | number | boolean | null>>

/** (a) COPY of pre-encoded rows in primary-key order, and nothing else. */
export function prepareCopies(
  events: EventRange,
  ids: SymbolIds,
): readonly (readonly CopyRows[])[] {
  return [...inGroups(prepared(events), COPY_ROWS)].map((group) =>
    CHANNELS.map((channel) => encodeChannel(group, channel, ids)),
  )
}

/** One transaction per batch, with asynchronous commit like the writer. */
export async function copyAll(
  pool: Pool,
  batches: readonly (readonly CopyRows[])[],
): Promise<void> {
  for (const copies of batches) {
    await inTransaction(pool, async (client) => {
      await client.query('set local synchronous_commit = off')
      for (const rows of copies) await copyInto(client, `marketdata.${rows.table.name}`, rows)
    })
  }
}

export interface Insert {
  readonly text: string
  readonly values: readonly Row[string][]
}

/** (c) Rows as parameters of multi-row INSERTs, as usual collectors do; values are prepared too. */
export function prepareInserts(events: EventRange, ids: SymbolIds): readonly Insert[] {
  const inserts: Insert[] = []
  const waiting: Record<Channel, Row[]> = { book_ticker: [], trades: [] }
  const put = (channel: Channel): void => {
    inserts.push(insertOf(channel, waiting[channel]))
    waiting[channel] = []
  }
  for (const event of prepared(events)) {
    waiting[event.channel].push({ ...event.event, symbol_id: ids.get(event.symbol)! })
    if (waiting[event.channel].length === INSERT_ROWS) put(event.channel)
  }
  for (const channel of CHANNELS) if (waiting[channel].length > 0) put(channel)
  return inserts
}

export async function insertAll(pool: Pool, inserts: readonly Insert[]): Promise<void> {
  for (const { text, values } of inserts) {
    await inTransaction(pool, async (client) => {
      await client.query('set local synchronous_commit = off')
      await client.query(text, [...values])
    })
  }
}

function encodeChannel(
  events: readonly WorkloadEvent[],
  channel: Channel,
  ids: SymbolIds,
): CopyRows {
  const groups = new Map<string, RowBuffer>()
  for (const { symbol, event, channel: own } of events) {
    if (own !== channel) continue
    const rows = groups.get(symbol) ?? new RowBuffer(RAW_TABLES[channel])
    groups.set(symbol, rows)
    rows.push(event)
  }
  return joinRows(
    RAW_TABLES[channel],
    [...groups]
      .map(([symbol, rows]) => ({ symbol_id: ids.get(symbol)!, rows }))
      .toSorted((a, b) => a.symbol_id - b.symbol_id),
  )
}

function insertOf(channel: Channel, rows: readonly Row[]): Insert {
  const { columns } = RAW_TABLES[channel]
  const tuple = (_row: Row, index: number): string =>
    `(${columns.map((_column, at) => `$${index * columns.length + at + 1}`).join(', ')})`
  const values = rows.flatMap((row) =>
    columns.map(({ name, type }) =>
      type === 'timestamptz' ? new Date(Number(row[name]) / 1_000).toISOString() : row[name]!,
    ),
  )
  const names = columns.map(({ name }) => name).join(', ')
  return {
    text: `insert into marketdata.${channel} (${names}) values ${rows.map(tuple).join(', ')} on conflict do nothing`,
    values,
  }
}

function* inGroups<T>(items: Iterable<T>, size: number): Generator<readonly T[]> {
  let group: T[] = []
  for (const item of items) {
    group.push(item)
    if (group.length === size) {
      yield group
      group = []
    }
  }
  if (group.length > 0) yield group
}
