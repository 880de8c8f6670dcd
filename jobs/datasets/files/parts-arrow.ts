/**
 * Writes an Arrow IPC file from record batches that are made already: names as dictionaries, zstd,
 * and the footer.
 */
import { open, type FileHandle } from 'node:fs/promises'
import { RecordBatchReader, Schema, Utf8, vectorFromArray, type RecordBatch } from 'apache-arrow'
import type { Feature } from '#core/features.ts'
import { identityPairs, type FileIdentity } from '../../parquet/identity.ts'
import { arrowFields, ArrowWriter, type BatchBytes, DICTIONARY_IDS } from './arrow-batch.ts'

/** The values that the name columns take, known before the first row. */
export interface NameLists {
  readonly exchange: readonly string[]
  readonly symbol: readonly string[]
}

export interface PartsArrow {
  append(batch: BatchBytes): Promise<void>
  finish(): Promise<void>
  /** After finish(), or where there is none. */
  close(): Promise<void>
}

export async function createPartsArrow(
  path: string,
  features: readonly Feature[],
  names: NameLists,
  identity: FileIdentity,
): Promise<PartsArrow> {
  const schema = new Schema([...arrowFields(features)], new Map(identityPairs(identity)))
  const file = await open(path, 'w')
  const writer = new FileWriter()
  writer.begin(schema, names)
  const flush = async (): Promise<void> => {
    for (const chunk of writer.take()) await file.writeFile(chunk)
  }
  return {
    async append(batch) {
      writer.append(batch)
      await flush()
    },
    async finish() {
      writer.finish()
      await flush()
    },
    close: () => file.close(),
  }
}

/** The batches of a file that createPartsArrow wrote, one at a time. */
export async function openArrow(handle: FileHandle): Promise<RecordBatchReader> {
  const reader = await RecordBatchReader.from(handle)
  await reader.open()
  return reader
}

class FileWriter extends ArrowWriter {
  begin(schema: Schema, names: NameLists): void {
    this.reset(undefined, schema)
    const dictionaries = new Map(
      (['exchange', 'symbol'] as const).map((name) => [
        DICTIONARY_IDS[name] as number,
        vectorFromArray([...names[name]], new Utf8()),
      ]),
    )
    // Of a batch it takes nothing else.
    this._writeDictionaries({ dictionaries } as unknown as RecordBatch)
  }

  append({ bytes, metadata_bytes, body_bytes }: BatchBytes): void {
    // The footer's writer reads these fields of a block, and no others.
    const block = { metaDataLength: metadata_bytes, bodyLength: body_bytes, offset: this._position }
    this._recordBatchBlocks.push(block as (typeof this._recordBatchBlocks)[number])
    this._write(bytes)
  }
}
