/** Frames of the recordings in FEEDS_DIR, for tests on real data. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

export const FEEDS_DIR = process.env['FEEDS_DIR']

/** WebSocket frames of `<folder>/feed.ndjson.gz`, in order. */
export function recordedFrames(folder: string): readonly Buffer[] {
  const packed = readFileSync(join(FEEDS_DIR ?? '', folder, 'feed.ndjson.gz'))
  const frames: Buffer[] = []
  for (const line of gunzipSync(packed).toString('utf8').split('\n')) {
    if (line === '') continue
    const entry = JSON.parse(line) as { t: string; data: string }
    if (entry.t === 'ws') frames.push(Buffer.from(entry.data))
  }
  return frames
}

/** The single frames of 2026, one per line under `raw`. */
export function frames2026(): readonly Buffer[] {
  return readFileSync(join(FEEDS_DIR ?? '', 'binance-2026-frames', 'frames.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Buffer.from(JSON.stringify((JSON.parse(line) as { raw: unknown }).raw)))
}
