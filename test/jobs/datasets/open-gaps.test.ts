/** Days with streams that fell silent and have not resumed, and what changes once they do. */
import { expect, test } from 'vitest'
import { publishedKey } from '../../support/published.ts'
import { createStand, readWithDuckDb } from '../stand.ts'
import {
  at,
  btcOf,
  build,
  DAY_ROWS,
  endSilence,
  FIRST,
  FOREVER,
  HEARD_S,
  insertOffsets,
  iso,
  known,
  load,
  manifestOf,
  SECOND,
  SILENT,
  stale,
} from './open-gaps.ts'

test('silent from before midnight through the next day: no frozen values; the gap’s end makes both days stale', async () => {
  const stand = await createStand()
  const { pool } = stand
  await load(pool)
  await insertOffsets(pool, 'a', FOREVER, SILENT)
  await build(stand)
  const cut = { quoted: HEARD_S, aged: HEARD_S, heard: DAY_ROWS, present_s: HEARD_S }
  expect(await known(stand, FIRST)).toEqual(cut)
  expect(await known(stand, SECOND)).toEqual({ quoted: 0, aged: 0, heard: DAY_ROWS, present_s: 0 })
  const open = {
    channel: 'book_ticker',
    from_ts: '2024-08-18T23:50:00.000000Z',
    to_ts: null,
    cause: 'silence',
    repaired: false,
  }
  for (const dataset of ['features_1s', 'labels_1s', 'features_100ms', 'candles', 'quotes']) {
    for (const date of [FIRST, SECOND]) {
      const manifest = await manifestOf(stand, dataset, date)
      expect([dataset, date, btcOf(manifest).gaps]).toEqual([dataset, date, [open]])
    }
  }
  const manifest = await manifestOf(stand, 'features_1s', FIRST)
  expect(
    await readWithDuckDb(
      stand,
      publishedKey(manifest, 'coverage.parquet'),
      (
        file,
      ) => `select channel, g.cause as cause, epoch_us(g.from_ts)::double as from_ts, g.to_ts is null as is_open
                 from (select *, unnest(gaps) as g from ${file}) where symbol = 'BTCUSDT'`,
    ),
  ).toEqual([{ channel: 'book_ticker', cause: 'silence', from_ts: at(14), is_open: true }])
  expect(await stale(stand)).toEqual([])

  await endSilence(pool)
  const why = 'the gap ledger has changed since the build'
  expect(await stale(stand)).toEqual([
    `features ${FIRST}: ${why}`,
    `datasets ${FIRST}: ${why}`,
    `features ${SECOND}: ${why}`,
    `datasets ${SECOND}: ${why}`,
  ])
})

test('an ingestor that stopped writing covers nothing after that, until it has caught up', async () => {
  const stand = await createStand()
  const { pool } = stand
  await load(pool)
  // BTC's quotes had been quiet for three minutes when it was killed; the other ingestor has the
  // rest.
  await insertOffsets(pool, 'a', iso(17), [{ symbol: 'BTCUSDT', channel: 'book_ticker', last: 14 }])
  await insertOffsets(pool, 'b', FOREVER, SILENT.slice(1))
  await stand.features(FIRST)
  const until_s = 16 * 60
  expect(await known(stand, FIRST)).toMatchObject({
    quoted: until_s,
    present_s: until_s,
    heard: DAY_ROWS,
  })

  await pool.query(`update marketdata.tape_positions set covered_until = $1`, [FOREVER])
  await stand.features(FIRST)
  expect(await known(stand, FIRST)).toMatchObject({ quoted: DAY_ROWS, present_s: DAY_ROWS })
})

test('a delisted symbol ends there; another ingestor that continues a stream ends its gap', async () => {
  const stand = await createStand()
  const { pool } = stand
  await load(pool)
  await insertOffsets(pool, 'a', FOREVER, [
    { symbol: 'BTCUSDT', channel: 'book_ticker', last: 14, cause: 'delisted' },
    { symbol: 'BTCUSDT', channel: 'trades', last: 10, cause: 'restart' },
  ])
  await insertOffsets(pool, 'b', FOREVER, [
    { symbol: 'BTCUSDT', channel: 'trades', last: 47, began: 12 },
  ])
  await stand.features(FIRST)
  const heard = DAY_ROWS - 2 * 60 - 1
  expect(await known(stand, FIRST)).toMatchObject({ quoted: HEARD_S, heard })
})
