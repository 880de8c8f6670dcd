/**
 * Assembles an Arrow IPC file from finished record batches. Names are dictionaries; compression is
 * zstd.
 */
import { open } from 'node:fs/promises'
import { bytesOf, dictionaryBatch, END_OF_STREAM, joinParts } from '#core/arrow/message.ts'
import { type Block, footer } from '#core/arrow/metadata.ts'
import type { Feature } from '#core/features.ts'
import { identityPairs, type FileIdentity } from '../../parquet/identity.ts'
import { arrowFields, type BatchBytes, compress, DICTIONARY_IDS, wordLists } from './arrow-batch.ts'

/** All values of the name columns, known before the first row. */
export interface NameLists {
  readonly exchange: readonly string[]
  readonly symbol: readonly string[]
}

export interface PartsArrow {
  append(batch: BatchBytes): Promise<void>
  finish(): Promise<void>
  /** Call after finish(), or to abandon the file. */
  close(): Promise<void>
}

const MAGIC = Buffer.from('ARROW1')
/** Messages begin at multiples of 8 bytes. */
const MAGIC_PADDING = Buffer.alloc(2)

export async function createPartsArrow(
  path: string,
  features: readonly Feature[],
  names: NameLists,
  identity: FileIdentity,
): Promise<PartsArrow> {
  const file = await open(path, 'w')
  const dictionaries: Block[] = []
  const batches: Block[] = []
  let offset = 0
  const write = async (bytes: Uint8Array): Promise<void> => {
    await file.writeFile(bytes)
    offset += bytes.byteLength
  }
  const writeMessage = async (
    blocks: Block[],
    { bytes, metadata_bytes, body_bytes }: BatchBytes,
  ): Promise<void> => {
    blocks.push({ offset, metadata_bytes, body_bytes })
    await write(bytes)
  }
  await write(MAGIC)
  await write(MAGIC_PADDING)
  for (const { id, words } of [
    { id: DICTIONARY_IDS.exchange, words: names.exchange },
    { id: DICTIONARY_IDS.symbol, words: names.symbol },
    ...wordLists(features),
  ]) {
    const { parts, ...sizes } = dictionaryBatch(id, words, compress)
    await writeMessage(dictionaries, { bytes: joinParts(parts), ...sizes })
  }
  return {
    append: (batch) => writeMessage(batches, batch),
    async finish() {
      const end = footer(arrowFields(features), identityPairs(identity), dictionaries, batches)
      await write(END_OF_STREAM)
      await write(end)
      await write(bytesOf(Int32Array.of(end.byteLength)))
      await write(MAGIC)
    },
    close: () => file.close(),
  }
}
