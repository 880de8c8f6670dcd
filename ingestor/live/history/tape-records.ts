/**
 * Makes messages that left memory again from their records on the tape, without Postgres. This
 * works for channels whose frames hold the rows exactly as the table has them.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { channelOf } from '#core/market.ts'
import type { StreamChoice } from '../../exchanges/adapter.ts'
import { adapterByCode } from '../../exchanges/registry.ts'
import { RecordPicker } from '../../tape/pick.ts'
import type { TapeRecord } from '../../tape/record.ts'
import { FED_BY } from '../channels.ts'
import type { DroppedRecord, LiveStream } from '../live-stream.ts'
import { compareKeys, rowText } from '../rows.ts'
import type { PastMessage } from './history.ts'

export interface TapeRecordsOptions {
  /** Directories of the tapes, by number. */
  readonly dirs: readonly string[]
  readonly choice: StreamChoice
}

/** Records that are read in one turn. */
const TURN_RECORDS = 100

/** Throws if a record is gone, or gives other rows than before. */
export async function readTapeRecords(
  { dirs, choice }: TapeRecordsOptions,
  stream: LiveStream,
  all: readonly DroppedRecord[],
): Promise<readonly PastMessage[]> {
  const messages: PastMessage[] = []
  // Those without rows have no message in history.
  const dropped = all.filter(({ record }) => record.row_count > 0)
  const [first] = dropped
  if (first === undefined) return messages
  // A stream's records are on one tape.
  const picker = new RecordPicker(dirs[first.record.tape]!)
  try {
    for (const wanted of dropped) {
      const record = picker.read(wanted.record.position)
      if (record === undefined) throw new Error('A record is gone.')
      messages.push({ seq: wanted.seq, rows: rowsOf(record, stream, choice, wanted) })
      if (messages.length % TURN_RECORDS === 0) await nextTurn()
    }
  } finally {
    picker.close()
  }
  return messages
}

function rowsOf(
  record: TapeRecord,
  { name, decimals }: LiveStream,
  choice: StreamChoice,
  { record: { row_count } }: DroppedRecord,
): readonly string[] {
  const adapter = adapterByCode(record.exchange_code)
  const parsed = adapter.parse(record.payload, record.ts_ingest, choice)
  const events = parsed.kind === 'events' ? parsed.events : []
  const own = events.filter(
    (event) => event.symbol === name.symbol && FED_BY[channelOf(event)] === name.channel,
  )
  const stored = own.filter(({ kind }) => kind !== 'void_trade' && kind !== 'mark_price_change')
  if (stored.length !== row_count) throw new Error('The record gives other rows.')
  const [first] = stored
  const channel = channelOf(first!)
  if (channel === 'prices') throw new Error('Index prices have no channel.')
  return stored
    .toSorted((a, b) => compareKeys(channel, a, b))
    .map((event) => rowText(channel, event, decimals))
}
