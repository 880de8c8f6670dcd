/** The writer's thread from the recorder's side. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createSharedTapeEnd } from '../../../ingestor/writer/tape-end.ts'
import { startWriterThread } from '../../../ingestor/writer/thread.ts'
import { createTestDatabase } from '../../support/database.ts'
import { CHOICE, market, writeTape } from './support.ts'

async function startThread(database_url: string) {
  const tape_dir = await writeTape(market(['BTCUSDT'], 10))
  const { memory } = createSharedTapeEnd()
  const options = {
    database_url,
    ingestor_id: 'test',
    tape_dir,
    tape_end: memory,
    choice: CHOICE,
    limits: { rows_max: 100, bytes_max: 100_000, age_ms_max: 5 },
    dead_letter_path: join(tape_dir, 'dead.ndjson'),
    log_level: 'silent',
  }
  return startWriterThread(options, { onWanted: () => undefined })
}

test('a request to a failed writer rejects at once with the error of the failure', async () => {
  const { url } = await createTestDatabase()
  const nowhere = new URL(url)
  nowhere.pathname = '/there_is_no_such_database'
  const writer = await startThread(nowhere.href)
  const asked_before = writer.committed(1_000)
  asked_before.catch(() => undefined)
  await expect(writer.ended).rejects.toMatchObject({ code: 'database_unusable' })
  await expect(asked_before).rejects.toMatchObject({ code: 'database_unusable' })
  await expect(writer.committed(1_000)).rejects.toMatchObject({ code: 'database_unusable' })
  await expect(writer.committed(2_000)).rejects.toMatchObject({ code: 'database_unusable' })
  await writer.stop()
})

test('a request to a stopped writer rejects at once', async () => {
  const { url } = await createTestDatabase()
  const writer = await startThread(url)
  await writer.tried
  await writer.stop()
  await expect(writer.committed(1_000)).rejects.toMatchObject({ code: 'writer_stopped' })
})
