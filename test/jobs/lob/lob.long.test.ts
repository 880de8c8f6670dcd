/** lob_10 against numpy, on a random book with a lost update, a thin side and a gap. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import type { DepthRow } from '../../../jobs/day/depth-reader.ts'
import { LOB_10 } from '../../../jobs/lob/columns.ts'
import { LobFold, type LobPart } from '../../../jobs/lob/lob-fold.ts'
import { hasPython, PYTHON } from '../../support/python.ts'
import { randomNumbers } from '../features/random.ts'
import { depthOf, MIDNIGHT } from './depth.ts'

const PROGRAM = fileURLToPath(new URL('oracle.py', import.meta.url))
const NAMES = LOB_10.columns
  .map(({ name }) => name)
  .filter((name) => !/^(exchange|symbol)$/.test(name))
const gap_at = MIDNIGHT + 200e6
const GAP = {
  from_ts: micros(gap_at),
  to_ts: micros(gap_at + 3e6),
  from_id: null,
  to_id: null,
  cause: 'disconnect',
  repaired: false,
} as const

function made(rows: readonly DepthRow[], part_rows?: number) {
  const parts: LobPart[] = []
  const fold = new LobFold(MIDNIGHT, [GAP], (part) => parts.push(part), part_rows)
  fold.add(rows)
  const moments = fold.finish()
  const table = parts.flatMap(({ ts, columns }) =>
    Array.from(ts, (at, row) =>
      NAMES.map((name) => (name === 'ts' ? Number(at) : columns[name]![row]!)),
    ),
  )
  return { table, moments, part_count: parts.length }
}

const seeds = (process.env['LOB_SEEDS'] ?? '1,2,3').split(',').map(Number)
for (const seed of seeds) {
  test.skipIf(!hasPython('numpy'))(
    `levels, labels and moments, seed ${seed}: numpy finds the same (needs python3-numpy)`,
    () => {
      const rows = depthOf(seed, 3_000)
      const { table, moments } = made(rows)
      const input = JSON.stringify({
        from: MIDNIGHT,
        gaps: [[GAP.from_ts, GAP.to_ts]],
        rows: rows.map((row) => [
          row.depth_kind,
          row.ts_exchange,
          row.final_update_id,
          row.prev_final_update_id,
          row.bids,
          row.asks,
        ]),
      })
      const ran = spawnSync(PYTHON, [PROGRAM], { input, maxBuffer: 1 << 28, encoding: 'utf8' })
      expect(ran.stderr).toBe('')
      const expected = JSON.parse(ran.stdout.replaceAll('NaN', 'null')) as {
        readonly rows: readonly (readonly (number | null)[])[]
        readonly mean: readonly number[]
        readonly std: readonly number[]
      }
      expect(table.length).toBe(expected.rows.length)
      expect(table.length).toBeGreaterThan(2_000)
      const far: string[] = []
      const compare = (found: number, wanted: number | null, what: string): void => {
        const is_near =
          wanted === null
            ? Number.isNaN(found)
            : Math.abs(found - wanted) / Math.max(1, Math.abs(wanted)) < 1e-12
        if (!is_near) far.push(`${what}: ${found}, numpy ${wanted}`)
      }
      for (const [row, values] of table.entries()) {
        for (const [place, value] of values.entries()) {
          compare(value, expected.rows[row]![place]!, `row ${row} ${NAMES[place]}`)
        }
      }
      for (const [place, { mean, std }] of moments!.entries()) {
        compare(mean, expected.mean[place]!, `mean ${place}`)
        compare(std, expected.std[place]!, `std ${place}`)
      }
      expect(far.slice(0, 5)).toEqual([])
    },
  )
}

test('the size of parts changes no row', () => {
  const rows = depthOf(4, 2_000)
  const whole = made(rows)
  for (const part_rows of [64, 777]) {
    const parts = made(rows, part_rows)
    expect(parts.part_count).toBeGreaterThan(whole.part_count)
    expect(parts.table).toEqual(whole.table)
  }
})

test('cutting the tape anywhere changes no level, and no label whose updates were seen', () => {
  const rows = depthOf(5, 1_500)
  const whole = made(rows).table
  const random = randomNumbers(8)
  for (let n = 0; n < 10; n++) {
    const { table } = made(rows.slice(0, 200 + Math.floor(random() * 1_300)))
    const labels_from = NAMES.length - 5
    for (const [row, values] of table.entries()) {
      expect(values.slice(0, labels_from)).toEqual(whole[row]!.slice(0, labels_from))
      for (let place = labels_from; place < NAMES.length; place++) {
        if (!Number.isNaN(values[place])) expect(values[place]).toBe(whole[row]![place])
      }
    }
  }
})
