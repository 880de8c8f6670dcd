/** Days with a gap that ends, and then turns out to be none. */
import { expect, test } from 'vitest'
import { createStand, NOON } from '../stand.ts'
import {
  build,
  DAY_ROWS,
  endSilence,
  FIRST,
  FOREVER,
  HEARD_S,
  insertOffsets,
  known,
  load,
  SILENT,
  stale,
} from './open-gaps.ts'

test('the end of a gap, and its repair, rebuild both days', async () => {
  const stand = await createStand()
  const { pool } = stand
  await load(pool)
  await insertOffsets(pool, 'a', FOREVER, SILENT)
  await build(stand)
  const cut = { quoted: HEARD_S, aged: HEARD_S, heard: DAY_ROWS, present_s: HEARD_S }
  await endSilence(pool)
  expect(await stale(stand)).toHaveLength(4)
  await build(stand)
  expect(await known(stand, FIRST)).toEqual(cut)
  expect(await stale(stand)).toEqual([])

  // The gap turns out to be none: BTC's last quote was the newest all the time.
  await pool.query(`update marketdata.gaps set repaired_at = $1`, [new Date(NOON)])
  expect(await stale(stand)).toHaveLength(4)
  await build(stand)
  expect(await known(stand, FIRST)).toMatchObject({ quoted: DAY_ROWS, present_s: DAY_ROWS })
  expect(await stale(stand)).toEqual([])
})
