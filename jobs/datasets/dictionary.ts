/** docs/datasets.md: what lies in the bucket each morning, as a person reads it. */
import { FEATURE_SETS } from '#core/features.ts'
import { CANDLES } from '../candles/columns.ts'
import { QUOTES_SET, TRADES_SET } from './build/raw-sets.ts'
import { datasetSection } from './feature-dictionary.ts'
import { TARDIS_EXCHANGES, TARDIS_HEADERS } from './tardis/csv.ts'

export function datasetDictionary(): string {
  const features = Object.values(FEATURE_SETS).map(
    ({ dataset, schema_version, description }) =>
      `| \`${dataset}\` | ${schema_version} | ${description} | Parquet, Arrow |`,
  )
  const others = [
    `| \`candles\` | ${CANDLES.schema_version} | ${CANDLES.description} | Parquet, Arrow |`,
    ...[TRADES_SET, QUOTES_SET].map(
      ({ dataset, schema_version, description }) =>
        `| \`${dataset}\` | ${schema_version} | ${description} | Parquet, Tardis CSV per symbol |`,
    ),
  ]
  const table = [
    '| dataset | version | what it is | files |',
    '| --- | --- | --- | --- |',
    ...features,
    ...others,
  ].join('\n')
  const sections = [CANDLES, TRADES_SET, QUOTES_SET].map(datasetSection)
  return `${[HEAD, table, LAYOUT, tardis(), EXAMPLES, ...sections].join('\n\n')}\n`
}

const HEAD = `# Datasets

Generated from the registries; a test keeps it true. Columns of features and labels: docs/features.md.

Every night at 00:10 UTC the day before is built and published. The same rows give the same bytes,
whether they lie in Postgres or in the archive, and however often a run was killed in between. Files
are read back and compared by sha256 before the manifest is written, which comes last: a date without
a manifest.json is not published.`

const LAYOUT = `## Where files lie

\`\`\`
datasets/NAME/vSCHEMA/date=YYYY-MM-DD/manifest.json       the build that counts: files with sha256, columns,
                                                          coverage, inputs
                                      build=BUILD/
                                        NAME.parquet      all symbols; a row group holds one symbol
                                        NAME.arrow        features, labels, candles: Arrow IPC, a batch an hour of a symbol
                                        binance-futures_trades_YYYY-MM-DD_BTCUSDT.csv.gz
                                                          trades, quotes: a file for each symbol with rows
                                        coverage.parquet  per symbol and stream: seconds, gaps with causes
datasets/NAME/latest.json                                 the newest day that is over
\`\`\`

BUILD follows from the files' content, so a file never changes under its key. A rebuild with other
bytes gets a folder of its own, and then the manifest names that folder in \`build\`: one write, so a
reader has the old day or the new one, whole. Replaced files stay for DATASET_KEEP_REPLACED_H hours (24
unless set; those of a day that is not over, for 10 minutes), then the job \`replaced_builds\` deletes them.
Days that were published before builds had folders have their files beside the manifest, which then
has no \`build\`.

People need none of this: \`/v1/datasets/NAME/YYYY-MM-DD/NAME.parquet\` and \`yesterday.parquet\` lead to
the file that counts. A program that reads one file in several requests asks for the signed URL once
and keeps to it: asked again, the stable address may lead to a newer build.

A change of a column's name, type or meaning raises SCHEMA: the new version gets a folder of its own,
and what lies in the old one stays as it is.

Per symbol: Parquet readers fetch the row groups of one symbol by their statistics (\`where symbol =
'BTCUSDT'\`), Arrow readers its batches; the CSV files are per symbol.

### What is missing

\`present_s\` and \`missing_s\` are the seconds of the day whose values are known and the others.
coverage.parquet has a row a symbol and stream with \`event_count\`, \`present_s\`, \`missing_s\` and
\`gaps\`, a list of (\`from_ts\`, \`to_ts\`, \`cause\`, \`repaired\`); the manifest repeats the first hundred
gaps of a symbol. A repaired gap was refilled: nothing is missing there. \`to_ts\` is null where a gap
had not ended when the day was built: from \`from_ts\` on the stream was not heard. Cause \`delisted\` is
the end of a stream: the symbol is no longer listed. With \`operator\` an operator paused the recording or
left the stream out; it is not refilled. Candles say in \`missing_s\` how much of them was not heard.

### When a published day changes

Late rows of an archived hour make a new version of that hour, and the gap ledger changes where a gap
is refilled, ends or is found later. Every hour published days are compared with both, and those that
are not what they would be if built now are built again: one that is revised names the versions under
\`inputs.revised_hours\`, and \`inputs.ledger_sha256\` is of what the ledger said. \`npx booktape jobs run stale-days --dry-run\`
prints them; \`npx booktape jobs run verify-dataset --dataset trades --date 2024-08-08\` reads a day back
and checks sha256, row counts, schema, order, null rules, the files against each other and coverage
against the ledger of gaps. It exits with 0 only where all is well.`

function tardis(): string {
  const names = Object.entries(TARDIS_EXCHANGES).map(([ours, theirs]) => `${ours} is \`${theirs}\``)
  return `## CSV in the form of Tardis

\`\`\`
trades   ${TARDIS_HEADERS.trades}
quotes   ${TARDIS_HEADERS.quotes}
\`\`\`

Gzip, comma-separated, times in microseconds since 1970: \`timestamp\` is \`ts_exchange\`,
\`local_timestamp\` is \`ts_ingest\`; \`side\` is the taker's; numbers have no exponents. In the column
\`exchange\` and in file names ${names.join(', ')}. Two things differ from
Tardis' own files: rows are in the order of (\`timestamp\`, \`id\`) rather than \`local_timestamp\`, and a day
is one of \`timestamp\`. A trade that was refilled after a gap has the \`local_timestamp\` of its refill.`
}

const EXAMPLES = `## Reading them

DuckDB, one symbol of a day (the URL comes from \`/v1/datasets/features_1s/2024-08-08\`, or is a file):

\`\`\`sql
select ts, mid_close, ofi from read_parquet('features_1s.parquet') where symbol = 'BTCUSDT';

-- Features with what happened afterwards.
select f.*, l.forward_log_return_5s
from read_parquet('features_1s.parquet') f join read_parquet('labels_1s.parquet') l
  using (exchange, symbol, ts);

select symbol, channel, missing_s, g.cause, g.from_ts, g.to_ts
from (select *, unnest(gaps) as g from read_parquet('coverage.parquet'));

select * from read_parquet('candles.parquet') where symbol = 'BTCUSDT' and interval_s = 3600;
\`\`\`

pandas:

\`\`\`python
import pandas as pd
features = pd.read_parquet("features_1s.parquet", filters=[("symbol", "==", "BTCUSDT")])
trades = pd.read_csv("binance-futures_trades_2024-08-08_BTCUSDT.csv.gz")
trades.index = pd.to_datetime(trades["timestamp"], unit="us", utc=True)
\`\`\`

Many days at once, from the bucket or a copy of it, each in the build that its manifest names:

\`\`\`sql
select f.date, f.symbol, f.ts, f.mid_close
from read_parquet('datasets/features_1s/v4/date=*/build=*/features_1s.parquet',
  hive_types = {'date': date, 'build': varchar}) f
join read_json('datasets/features_1s/v4/date=*/manifest.json',
  columns = {'date': 'date', 'build': 'varchar'}) m using (date, build);
\`\`\`

Polars:

\`\`\`python
import polars as pl
hourly = (
    pl.scan_parquet("candles.parquet")
    .filter((pl.col("symbol") == "BTCUSDT") & (pl.col("interval_s") == 3600) & (pl.col("missing_s") == 0))
    .collect()
)
\`\`\``
