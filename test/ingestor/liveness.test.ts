import { expect, test } from 'vitest'
import {
  createLiveness,
  STUCK_MS_MAX,
  type VitalSigns,
  WRITER_SILENT_MS_MAX,
} from '../../ingestor/liveness.ts'

function ingestor() {
  const signs: { -readonly [Name in keyof VitalSigns]: VitalSigns[Name] } = {
    writer_heard_ms: 0,
    database_away: false,
    committed_position: 100,
    tape_end: 100,
  }
  let now_ms = 0
  const isAlive = createLiveness(
    () => signs,
    () => now_ms,
  )
  /** The writer's thread reports all the while, unless told otherwise. */
  const after = (ms: number, writer_silent_ms = 0): boolean => {
    now_ms += ms
    signs.writer_heard_ms = now_ms - writer_silent_ms
    return isAlive()
  }
  return { signs, after }
}

test('an ingestor whose writer thread stays silent is not alive', () => {
  const { after } = ingestor()
  expect(after(WRITER_SILENT_MS_MAX, WRITER_SILENT_MS_MAX)).toBe(true)
  expect(after(1, WRITER_SILENT_MS_MAX + 1)).toBe(false)
  expect(after(1)).toBe(true)
})

test('an ingestor that commits nothing of a growing tape is not alive', () => {
  const { signs, after } = ingestor()
  expect(after(1_000)).toBe(true)
  signs.tape_end = 200
  expect(after(STUCK_MS_MAX)).toBe(true)
  expect(after(1)).toBe(false)
  signs.committed_position = 101
  expect(after(1)).toBe(true)
})

for (const [name, change] of [
  ['while Postgres is away', { database_away: true, tape_end: 900 }],
  ['while nothing arrives', {}],
] as const) {
  test(`an ingestor that commits nothing ${name} is alive`, () => {
    const { signs, after } = ingestor()
    Object.assign(signs, change)
    expect(after(10 * STUCK_MS_MAX)).toBe(true)
    expect(after(10 * STUCK_MS_MAX)).toBe(true)
  })
}
