/** What goes onto a tape that fills up while Postgres is away. */
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import type { Mark } from '../../ingestor/tape/record.ts'
import { createTapeIntake, type TapeIntake } from '../../ingestor/tape-intake.ts'
import { followToEnd } from '../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase } from '../support/database.ts'
import { openSmall } from './tape/support.ts'
import {
  CHOICE,
  dumpGaps,
  type Entry,
  quote,
  START_MS,
  temporaryDirectory,
} from './writer/support.ts'

test('a mark without room on a full tape waits, and its gap in the ledger is exact', async () => {
  const { url, pool } = await createTestDatabase()
  const dir = temporaryDirectory()
  let now_ms = 0
  const tape = openSmall(dir, {
    onFull: (full) => {
      if (full === undefined) intake.writeWaiting()
    },
  })
  const clock = { now: () => micros((START_MS + now_ms) * 1_000) }
  const intake: TapeIntake = createTapeIntake(tape, 1, clock, silentLogger)
  const take = ({ connection, payload, ts_ingest }: Entry): void =>
    intake.takeFrame(connection, payload, ts_ingest)
  const names = ['BTCUSDT', 'ETHUSDT'].map(
    (symbol) => ({ symbol, channel: 'book_ticker' }) as const,
  )
  const lost = (symbol: string): Mark => ({
    kind: 'deaf',
    cause: 'tape_full',
    streams: names.filter((name) => name.symbol === symbol),
  })
  intake.takeMark({ kind: 'started', streams: names })
  while (tape.full === undefined) {
    now_ms += 1_000
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) take(quote(symbol, now_ms, now_ms))
  }
  // The reserve is used up too.
  const alive = Buffer.from(JSON.stringify({ kind: 'alive' }))
  while (tape.append('mark', 1, 0, clock.now(), alive) !== 'full');
  now_ms += 500
  intake.takeMark(lost('BTCUSDT'))
  intake.takeMark(lost('ETHUSDT'))
  expect(intake.takeAnswer({ path: '/', body: '', ts_ingest: clock.now() })).toBe(false)

  // Postgres is back.
  const dead_letter_path = join(dir, 'dead.ndjson')
  const options = {
    database_url: url,
    ingestor_id: 'test',
    tape_dir: dir,
    choice: CHOICE,
    dead_letter_path,
  }
  await followToEnd({ ...options, log: silentLogger })
  expect(await dumpGaps(pool)).toEqual([])
  tape.release(tape.end, 0)
  await nextTurn()
  expect(tape.full).toBeUndefined()
  now_ms = 600_000
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) take(quote(symbol, now_ms, now_ms))
  await tape.close()
  await followToEnd({ ...options, log: silentLogger })
  const { rows } = await pool.query<{ symbol: string; last_id: number }>(
    `select s.symbol, max(update_id)::int as last_id
      from marketdata.book_ticker b join marketdata.symbols s on s.id = b.symbol_id
      where update_id < 600000 group by s.symbol order by s.symbol`,
  )
  // An id is the millisecond of its quote.
  expect((await dumpGaps(pool)).map((line) => line.replace(/\.0+$/, ''))).toEqual(
    rows.map(
      ({ symbol, last_id }) =>
        `${symbol} book_ticker tape_full ${last_id} 600000 ${(600_000 - last_id) / 1_000}`,
    ),
  )
  expect(rows).toHaveLength(2)
})
