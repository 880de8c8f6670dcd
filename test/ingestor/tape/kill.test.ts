import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openReader } from '../../../ingestor/tape/reader.ts'
import { createFolder } from './support.ts'

const LIVES = 5
const folder = createFolder(tmpdir())

test('kill -9 at random times loses no frame of an earlier turn; the next writer continues after it', async () => {
  const dir = join(folder, 'tape')
  let numbers: readonly number[] = []
  let position = 0
  for (let life = 0; life < LIVES; life++) {
    const reported = await writeAndKill(dir, numbers.length, 100 + Math.random() * 300)
    const reader = openReader(dir, position)
    const read = [...numbers]
    for (;;) {
      const { records, damage } = reader.readBatch()
      expect(damage).toBeUndefined()
      if (records.length === 0) break
      for (const { kind, payload } of records)
        if (kind === 'frame') read.push(payload.readUInt32LE())
    }
    reader.close()
    expect(reported).toBeGreaterThan(numbers.length)
    expect(read.length).toBeGreaterThanOrEqual(reported)
    expect(read.every((number, index) => number === index)).toBe(true)
    numbers = read
    position = reader.position
  }
})

/** Returns the last count that the child reported before it was killed. */
async function writeAndKill(dir: string, from: number, life_ms: number): Promise<number> {
  const script = join(import.meta.dirname, 'kill-child.ts')
  const child = spawn(process.execPath, [script, dir, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await once(child.stdout, 'data')
  await sleep(life_ms)
  child.kill('SIGKILL')
  await once(child, 'close')
  return Number(output.split('\n').at(-2))
}
