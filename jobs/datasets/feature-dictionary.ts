/** Writes docs/features.md: the registry of features, for readers. */
import type { DatasetColumn } from '#core/features/column.ts'
import { FEATURE_SETS } from '#core/features.ts'
import { FIT_VERSION } from '#core/features/fitted.ts'

export function featureDictionary(): string {
  return `${[HEAD, ...Object.values(FEATURE_SETS).map(datasetSection)].join('\n\n')}\n`
}

const HEAD = `# Features

Generated from core/features.ts; a test keeps it true.

Rows form a dense grid from a symbol's first event of the day to the last event of its exchange. If
a quote is carried in from the day before, the grid begins at midnight. A value is carried forward
only while the stream is recorded: after an open gap of the ledger it is null until it is known
again. No chain, window or label crosses a gap. 0/0 is null, never 0. A symbol is included if it has
quotes, trades or depth.

The fitted columns take their parameters from the complete day before, in
\`models/features/v${FIT_VERSION}/date=YYYY-MM-DD/fit.json\`. Each manifest names that file and its
sha256 in \`inputs\`.

A value is the double nearest to the formula's result for the exchange's own decimals. Sums,
differences and products are exact and rounded once. A quotient (a mean, a share, a slope, vwap) is
one division of two exact numbers, rounded once to the nearest double, ties to even. Columns
computed from other columns start from those columns' exact values.

Log returns, columns computed from them (realised_variance, bipower_variation, their sums over 60 s,
labels) and book_slope also start from exact prices and quantities. They are computed to more than
80 bits and rounded once. The rounding can only be wrong if the exact value is within 2^-80
(relative) of the midpoint between two doubles. vpin keeps shares of a bucket to 2^-200 before it is
rounded. Fitted parameters (g, w_k, the bucket's volume and its content at the end of the day
before) are computed in doubles; a column uses the decimals that fit.json holds.

In formulas, b and a are the best bid and ask, Qb and Qa the quantities there, Qb_k and Qa_k those
at level k of the book, m the mid, p and q price and quantity of a trade; [x] is 1 if x holds, else
0.`

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
    row(['column', 'type', 'unit', 'description', 'formula', 'source', 'null if']),
    row(Array.from({ length: 7 }, () => '---')),
    ...lines,
  ].join('\n')
}

export function code(text: string): string {
  return `\`${text}\``
}

/** Escapes bars, which would end the cell even inside code. */
export function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
