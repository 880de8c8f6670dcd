/** docs/features.md: the registry of features as a person reads it. */
import type { DatasetColumn } from '#core/dataset.ts'
import { FEATURE_SETS } from '#core/features.ts'
import { FIT_VERSION } from '#core/features/fitted.ts'

export function featureDictionary(): string {
  return `${[HEAD, ...Object.values(FEATURE_SETS).map(datasetSection)].join('\n\n')}\n`
}

const HEAD = `# Features

Generated from core/features.ts; a test keeps it true.

Rows stand on a dense grid from a symbol's first event of the day (midnight where a quote is
carried in) to the last event of its exchange. What is carried forward is carried only while the
stream was heard: behind an open gap of the ledger a value is null until it is known again, and no
chain, window or label runs over it. 0/0 is null, never 0. Symbols are those with quotes, trades or
depth.

Parameters of the fitted columns come from the whole day before: they lie in
\`models/features/v${FIT_VERSION}/date=YYYY-MM-DD/fit.json\`, and each manifest names the file and its
sha256 under \`inputs\`.

Values are the doubles nearest to what the formula gives for the exchange's own decimals: sums,
differences and products are exact and rounded once, and a quotient (a mean, a share, a slope, vwap)
is one division of two exact numbers, rounded once to the nearest double, ties to even. That holds
for columns made of other columns too: they start from those columns' exact values.

Log returns and what is made of them (realised_variance, bipower_variation, their sums over 60 s,
labels) and book_slope start from exact prices and quantities as well, are computed to more than 80
bits, and are rounded once: only a value within 2^-80 of itself of the middle between two doubles
could become the other one of the two. vpin cuts shares of a bucket at 2^-200 before it is rounded.
Fitted parameters (g, w_k, the bucket's volume and what the day before left in it) are computed in
doubles; a column takes them for the decimals that fit.json writes.

In formulas: b, a best bid and ask; Qb, Qa the quantities there; Qb_k, Qa_k those of level k of the
book; m the mid; p, q price and quantity of a trade; [x] is 1 where x holds, else 0.`

/** A dataset with all of its columns. */
export function datasetSection({
  dataset,
  schema_version,
  description,
  columns,
}: {
  readonly dataset: string
  readonly schema_version: number
  readonly description: string
  readonly columns: readonly DatasetColumn[]
}): string {
  const lines = columns.map(({ name, type, unit, description: what, formula, source, null_rule }) =>
    row([code(name), type, unit, what, formula === '' ? '' : code(formula), source, null_rule]),
  )
  return [
    `## ${dataset} (version ${schema_version})`,
    '',
    description,
    '',
    row(['column', 'type', 'unit', 'what it is', 'formula', 'source', 'null where']),
    row(Array.from({ length: 7 }, () => '---')),
    ...lines,
  ].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}

/** A bar would end the cell, inside code too. */
function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
