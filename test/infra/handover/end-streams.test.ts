import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { retireIngestor } from '../../../infra/handover/end-streams.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase } from '../../support/database.ts'
import { CHOICE, mark, quote, trade, writeTape } from '../../ingestor/writer/support.ts'

test('streams of a retired ingestor end at their last coverage; a running ingestor is refused', async () => {
  const { url, pool } = await createTestDatabase()
  const deaf = mark(3, {
    kind: 'deaf',
    cause: 'disconnect',
    streams: [{ symbol: 'BTCUSDT', channel: 'trades' }],
  })
  const tape_dir = await writeTape([quote('BTCUSDT', 1, 0), trade('BTCUSDT', 9, 1), deaf])
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  await followToEnd({
    database_url: url,
    ingestor_id: 'old',
    tape_dir,
    choice: CHOICE,
    dead_letter_path,
    log: silentLogger,
  })
  await expect(retireIngestor(pool, 'old')).rejects.toMatchObject({ code: 'ingestor_running' })
  await expect(retireIngestor(pool, 'nobody')).rejects.toMatchObject({ code: 'ingestor_unknown' })
  await pool.query(`update marketdata.tape_positions set updated_at = now() - interval '1 hour', covered_until =
    (select max(ts_ingest) + interval '90 seconds' from marketdata.stream_offsets)`)
  await pool.query(
    `insert into marketdata.ingestors (ingestor_id, exchange, host, pid, version, started_at,
       endpoint, state, recording, revision, symbols_wanted, streams_wanted, streams_heard, seen_at)
     values ('old', 'binance-futures', 'h', 1, '1', now(), 'unix:/x', 'live', 'recording', 0, 1, 2,
       2, now())`,
  )
  const ledger = async () => {
    const { rows } = await pool.query<{ line: string }>(
      `select concat_ws(' ', l.channel, l.cause, round(extract(epoch from l.from_ts - o.ts_exchange)), l.to_ts) as line
        from marketdata.gap_ledger l join marketdata.stream_offsets o using (symbol_id, channel) order by 1`,
    )
    return rows.map(({ line }) => line)
  }
  expect(await ledger()).toEqual(['book_ticker restart 30', 'trades disconnect 0'])
  expect(await retireIngestor(pool, 'old')).toBe(2)
  expect(await ledger()).toEqual(['book_ticker delisted 30', 'trades delisted 0'])
  expect(await retireIngestor(pool, 'old')).toBe(0)
  // Nobody waits for its heartbeat.
  expect((await pool.query('select from marketdata.ingestors')).rows).toEqual([])
})
