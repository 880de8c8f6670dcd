/** Schema of manifest.json: validates what the store holds and documents what callers get. */
import { z } from '@hono/zod-openapi'
import type { Manifest } from '#core/dataset.ts'
import { CHANNELS, GAP_CAUSES } from '#core/market.ts'
import { EXCHANGES } from '#core/symbols.ts'
import { BUILD_NAME } from '#core/object-keys.ts'
import { parseDay } from '#core/time.ts'

const count = z.int().min(0)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** A file name becomes part of an object key and of a URL. */
const FILE_NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_-]{0,119}\.(?:parquet|arrow|csv\.gz|npz|tar)$/u
// JSON Schema patterns have no flags, so the documented pattern is looser than FILE_NAME.
const fileName = z
  .string()
  .regex(FILE_NAME)
  .openapi({ pattern: '^[^/.\\s]{1,120}\\.(?:parquet|arrow|csv\\.gz|npz|tar)$' })

const DatasetColumn = z
  .object({
    name: z.string(),
    type: z.string(),
    unit: z.string(),
    description: z.string(),
    formula: z.string(),
    source: z.string(),
    null_rule: z.string().openapi({ description: 'When the value is null.' }),
  })
  .openapi('DatasetColumn')

export const DatasetFile = z
  .object({
    name: fileName.openapi({ example: 'features_1s.parquet' }),
    format: z.enum(['parquet', 'arrow', 'csv.gz', 'npz', 'tar']),
    bytes: count,
    sha256,
    row_count: count,
  })
  .openapi('DatasetFile')

const SymbolCoverage = z
  .object({
    exchange: z.enum(EXCHANGES),
    symbol: z.string(),
    from_ts: z.string(),
    to_ts: z.string(),
    row_count: count,
    present_s: count.openapi({ description: 'Seconds of the day with a known quote.' }),
    missing_s: count.openapi({ description: 'The other seconds of the day.' }),
    quote_count: count,
    trade_count: count,
    gap_count: count,
    gaps: z
      .array(
        z
          .object({
            channel: z.enum(CHANNELS),
            from_ts: z.string(),
            to_ts: z.string().nullable().openapi({
              description: 'Null if the gap had not ended when the day was built.',
            }),
            cause: z.enum(GAP_CAUSES),
            repaired: z.boolean(),
          })
          .openapi('DatasetGap'),
      )
      .readonly(),
  })
  .openapi('SymbolCoverage')

const DatasetInputs = z
  .object({
    fit: z.object({ key: z.string(), sha256 }).nullable().openapi({
      description: 'Parameters fitted on the previous day; null if there were none.',
    }),
    ledger_sha256: sha256.optional().openapi({
      description: 'Hash of the gap ledger entries for this day and its symbols.',
    }),
    revised_hours: z
      .array(
        z
          .object({
            exchange: z.enum(EXCHANGES),
            table_name: z.string(),
            hour: z.string(),
            version: z.int().min(1),
          })
          .openapi('RevisedHour'),
      )
      .readonly()
      .openapi({ description: 'Archived hours that were revised because of late rows.' }),
    files: z
      .array(
        z
          .object({
            file: z.string().openapi({ description: 'Its name at the source.' }),
            source: z.string().openapi({ example: 'binance' }),
            kind: z.string().openapi({ example: 'metrics' }),
            sha256,
            finding: z
              .string()
              .nullable()
              .openapi({ description: 'What is wrong with the file; null if it is whole.' }),
          })
          .openapi('ImportedFile'),
      )
      .readonly()
      .optional()
      .openapi({ description: 'Of imported facts: the files that the rows are from.' }),
  })
  .openapi('DatasetInputs')

/** The part of a manifest that callers get unchanged. `files` differs: each file gets a URL. */
export const manifestShape = {
  dataset: z.string().openapi({ example: 'features_1s' }),
  schema_version: z.int().min(1).openapi({ example: 1 }),
  date: z
    .string()
    .refine((text) => parseDay(text) !== undefined)
    .openapi({ format: 'date', example: '2024-08-08' }),
  build: z
    .string()
    .regex(BUILD_NAME)
    .optional()
    .openapi({
      example: '5f3a90c1d2e4b687',
      description:
        'Hash of the content. The files are in the folder build=<hash> next to the manifest. ' +
        'Absent from old manifests, whose files are next to the manifest itself.',
    }),
  complete: z
    .boolean()
    .openapi({ description: 'False if the dataset was built before the day was over.' }),
  row_count: count,
  columns: z.array(DatasetColumn).readonly(),
  coverage: z.array(SymbolCoverage).readonly(),
  parameters: z.record(z.string(), z.number()).optional().openapi({
    description: 'Settings that the rows depend on, such as the number of bars per day.',
  }),
  inputs: DatasetInputs.optional(),
}

export const DatasetManifest = z
  .object({ ...manifestShape, files: z.array(DatasetFile).min(1) })
  .openapi('DatasetManifest') satisfies z.ZodType<Manifest>
