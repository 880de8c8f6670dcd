/**
 * Provides the bytes of leaves in reading order. Small leaves are fetched in batches of some MiB,
 * and only one batch is held at a time. A large leaf is streamed.
 */
import { release } from '../memory/release.ts'
import { ByteFeed } from './byte-feed.ts'
import { BATCH_BYTES, batchOf, type ByteRange } from './byte-ranges.ts'
import { isLarge } from './leaf-pages.ts'
import type { PlacedLeaf } from './row-group-plan.ts'

export interface LeafSource {
  /** Call it in the order of the list; leaves may be skipped. */
  feedOf(leaf: PlacedLeaf): Promise<ByteFeed>
  /** Frees the batch that is held. */
  close(): void
}

export interface FileBytes {
  read(range: ByteRange): Promise<Uint8Array>
  stream(range: ByteRange): Promise<AsyncIterable<Uint8Array>>
}

export function createLeafSource(leaves: readonly PlacedLeaf[], file: FileBytes): LeafSource {
  let held: { readonly range: ByteRange; readonly bytes: Uint8Array } | undefined
  return {
    async feedOf(leaf) {
      if (isStreamed(leaf)) return new ByteFeed(await file.stream(leaf))
      const { start, end } = leaf
      if (held === undefined || start < held.range.start || end > held.range.end) {
        if (held !== undefined) release(held.bytes)
        held = undefined
        const range = batchOf(leaves.slice(leaves.indexOf(leaf)).filter((one) => !isStreamed(one)))
        held = { range, bytes: await file.read(range) }
      }
      const { range, bytes } = held
      return ByteFeed.of(bytes.subarray(start - range.start, end - range.start))
    },
    close() {
      if (held !== undefined) release(held.bytes)
      held = undefined
    },
  }
}

/** Maximum bytes held while these leaves are read, including the decompressed page. */
export function heldBytes(leaves: readonly PlacedLeaf[]): number {
  const largest = leaves.map((leaf) =>
    isStreamed(leaf) ? STREAM_BYTES : Number(leaf.chunk.total_uncompressed_size),
  )
  const packed = leaves.reduce((sum, leaf) => sum + sizeOf(leaf), 0)
  return Math.min(packed, BATCH_BYTES) + Math.max(0, ...largest)
}

function isStreamed(leaf: PlacedLeaf): boolean {
  return isLarge(leaf) || sizeOf(leaf) > BATCH_BYTES
}

/** Memory of a stream: the decompressor, and the levels of a page of 20 million values. */
const STREAM_BYTES = 6 << 20

function sizeOf({ start, end }: ByteRange): number {
  return end - start
}
