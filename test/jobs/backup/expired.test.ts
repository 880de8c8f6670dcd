/** Which backups are deleted. */
import { expect, test } from 'vitest'
import { type KnownBackup, selectExpired } from '../../../jobs/backup/expired.ts'

/** `F1`: the full backup of day 1; `S1.2:F1`: a state backup after it that refers to it. */
function backups(text: string): readonly KnownBackup[] {
  return text.split(' ').map((word) => {
    const [id, of] = word.split(':')
    const parts = of === undefined ? [] : [{ backup_id: of.slice(1) } as KnownBackup['parts'][0]]
    return { id: id!.slice(1), kind: id!.startsWith('F') ? 'full' : 'state', parts }
  })
}

for (const [what, text, keep_count, expected] of [
  ['the oldest full ones go', 'F1 F2 F3 F4', 2, ['1', '2']],
  [
    'state ones go with the second newest full one',
    'F1 S1.1:F1 F2 S2.1:F2 F3 S3.1:F3',
    14,
    ['1.1'],
  ],
  ['a full one that a kept one refers to stays', 'F1 F2 S2.1:F1', 1, ['2'].slice(1)],
  ['without a second full one all state ones stay', 'S0.1 S0.2 F1 S1.1:F1', 1, []],
] as const) {
  test(what, () => expect(selectExpired(backups(text), keep_count)).toEqual(expected))
}

test('a full backup beyond the count goes, though it is newer than a kept state one', () => {
  expect(selectExpired(backups('F1 F2 S2.1:F2 F3'), 1)).toEqual(['1'])
})
