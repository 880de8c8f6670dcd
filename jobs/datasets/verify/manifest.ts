/** The parts of a manifest that the verification uses, validated first. */
import { z } from 'zod'
import { BUILD_NAME } from '#core/object-keys.ts'

const count = z.int().min(0)

const CheckedManifest = z.object({
  dataset: z.string(),
  schema_version: z.int().min(1),
  date: z.string(),
  build: z.string().regex(BUILD_NAME).optional(),
  complete: z.boolean(),
  row_count: count,
  columns: z.array(z.object({ name: z.string(), type: z.string(), null_rule: z.string() })).min(1),
  files: z
    .array(
      z.object({
        // It becomes part of a path.
        name: z
          .string()
          .regex(/^[\p{L}\p{N}_][\p{L}\p{N}_-]*\.(?:parquet|arrow|csv\.gz|npz|tar)$/u),
        format: z.enum(['parquet', 'arrow', 'csv.gz', 'npz', 'tar']),
        bytes: count,
        sha256: z.string(),
        row_count: count,
      }),
    )
    .min(1),
  /** Of imported facts: the files that the rows are from. */
  inputs: z.object({ files: z.array(z.unknown()).optional() }).optional(),
  coverage: z.array(
    z.object({
      exchange: z.string(),
      symbol: z.string(),
      /** Start of its last second. */
      to_ts: z.string(),
      row_count: count,
      present_s: count,
      missing_s: count,
      gap_count: count,
    }),
  ),
})
export type CheckedManifest = z.infer<typeof CheckedManifest>
export type CheckedFile = CheckedManifest['files'][number]

/** The manifest, or a sentence that says what is wrong with it. */
export function checkManifest(bytes: Uint8Array): CheckedManifest | string {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return 'It is not JSON.'
  }
  const result = CheckedManifest.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  return `Its ${issue.path.join('.') || 'content'} is invalid: ${issue.message}.`
}
