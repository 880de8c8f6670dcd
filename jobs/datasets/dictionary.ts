/** Writes docs/datasets.md: the datasets in the bucket, for readers. */
import { FEATURE_SETS } from '#core/features.ts'
import { SIGNALS_SET } from '#core/signals/registry.ts'
import { BARS } from '../bars/columns.ts'
import { LABELS_BARRIER } from '../barriers/columns.ts'
import { CANDLES } from '../candles/columns.ts'
import { CLUSTERS } from '../clusters/columns.ts'
import { LOB_10 } from '../lob/columns.ts'
import { DEPTH } from '../lob/depth-columns.ts'
import { FACT_SETS } from './build/fact-sets.ts'
import { QUOTES_SET, TRADES_SET } from './build/raw-sets.ts'
import { datasetSection } from './feature-dictionary.ts'
import { TARDIS_EXCHANGES, TARDIS_HEADERS } from './tardis/csv.ts'

export function datasetDictionary(): string {
  const features = Object.values(FEATURE_SETS).map(
    ({ dataset, schema_version, description }) =>
      `| \`${dataset}\` | ${schema_version} | ${description} | Parquet, Arrow |`,
  )
  const others = [
    ...[CANDLES, CLUSTERS, BARS, LABELS_BARRIER, LOB_10].map(
      ({ dataset, schema_version, description }) =>
        `| \`${dataset}\` | ${schema_version} | ${description} | Parquet, Arrow |`,
    ),
    `| \`depth\` | ${DEPTH.schema_version} | ${DEPTH.description} | Parquet, Arrow, Tardis CSV, npz, tar |`,
    `| \`signals\` | ${SIGNALS_SET.schema_version} | ${SIGNALS_SET.description} docs/signals.md defines them. | Parquet, Arrow |`,
    ...FACT_SETS.map(
      ({ dataset, schema_version, table }) =>
        `| \`${dataset}\` | ${schema_version} | ${table.description} Only of imported days. | Parquet, Arrow |`,
    ),
    ...[TRADES_SET, QUOTES_SET].map(
      ({ dataset, schema_version, description }) =>
        `| \`${dataset}\` | ${schema_version} | ${description} | Parquet, Tardis CSV per symbol |`,
    ),
  ]
  const table = [
    '| dataset | version | description | files |',
    '| --- | --- | --- | --- |',
    ...features,
    ...others,
  ].join('\n')
  const sections = [
    CANDLES,
    CLUSTERS,
    BARS,
    LABELS_BARRIER,
    LOB_10,
    DEPTH,
    TRADES_SET,
    QUOTES_SET,
    SIGNALS_SET,
    ...FACT_SETS,
  ].map(datasetSection)
  return `${[HEAD, table, LAYOUT, tardis(), BACKTESTERS, EXAMPLES, ...sections].join('\n\n')}\n`
}

const HEAD = `# Datasets

Generated from the registries; a test keeps it true. Columns of features and labels: docs/features.md.

Every night at 00:10 UTC the day before is built and published. Equal rows give equal bytes, whether
they come from Postgres or from the archive, and even if runs were killed. The job reads every file
back and compares its sha256 before it writes the manifest. The manifest comes last, so a date
without a manifest.json is not published.`

const LAYOUT = `## Layout

\`\`\`
datasets/NAME/vSCHEMA/date=YYYY-MM-DD/manifest.json       the current build: files with sha256,
                                                          columns, coverage, inputs
                                      build=BUILD/
                                        NAME.parquet      all symbols; a row group holds one symbol
                                        NAME.arrow        features, labels, candles, clusters, bars, signals:
                                                          Arrow IPC, one batch per symbol and hour
                                        binance-futures_trades_YYYY-MM-DD_BTCUSDT.csv.gz
                                                          trades, quotes: one file per symbol
                                        coverage.parquet  per symbol and stream: seconds, gaps with causes;
                                                          not of imported facts
datasets/NAME/latest.json                                 the newest complete day
\`\`\`

BUILD is a digest of the files' content, so a file never changes under its key. A rebuild with other
bytes gets a new folder, and then the manifest names that folder in \`build\`. This is one write, so
a reader gets either the complete old day or the complete new one. Replaced files stay for
DATASET_KEEP_REPLACED_H hours (default 24), or for 10 minutes if the day is not over. Then the job
\`replaced_builds\` deletes them. The oldest days were published without build folders: their files
are in the manifest's folder, and the manifest has no \`build\`.

The stable addresses hide all of this: \`/v1/datasets/NAME/YYYY-MM-DD/NAME.parquet\` and
\`yesterday.parquet\` redirect to the file of the current build. A program that reads one file in
several requests must request the signed URL once and keep it, because the stable address may later
redirect to a newer build.

SCHEMA increases when the name, type or meaning of a column changes. The new version gets its own
folder, and files of the old version stay as they are.

To read one symbol, a Parquet reader finds its row groups by their statistics (\`where symbol =
'BTCUSDT'\`), an Arrow reader takes its batches, and CSV files hold one symbol each.

### What is missing

\`present_s\` and \`missing_s\` count the seconds of the day with known and with unknown values.
coverage.parquet has one row per symbol and stream: \`event_count\`, \`present_s\`, \`missing_s\`
and \`gaps\`, a list of (\`from_ts\`, \`to_ts\`, \`cause\`, \`repaired\`). The manifest repeats the
first hundred gaps of each symbol. A repaired gap was refilled, so nothing is missing there.
\`to_ts\` is null if the gap had not ended when the day was built: nothing after \`from_ts\` was
recorded. Cause \`delisted\` marks the end of a stream whose symbol is no longer listed. Cause
\`operator\` means that an operator paused the recording or excluded the stream; such a gap is not
refilled. In candles, \`missing_s\` counts the seconds of the interval that were not recorded.

Datasets of imported facts (klines, open_interest, funding_rates, book_depth) have no streams and no
gaps. Their manifest names the files that the rows are from, each with its sha256 and with what is
wrong with it, in \`inputs.files\`. \`missing_s\` is what the kind of file that lacks most lacks.
\`yesterday\` is the newest day that was imported.

### When a published day changes

Late rows of an archived hour create a new version of that hour. The gap ledger changes when a gap
is found, ends or is refilled. Every hour, a job compares published days with both, and rebuilds
each stale day. The manifest of a rebuilt day lists the versions it used in
\`inputs.revised_hours\`, and the digest of its ledger entries in \`inputs.ledger_sha256\`.

An import that changes imported facts makes its days stale too. If a replaced file takes the last
rows of a day away, the day is published again without rows; it is then no longer \`yesterday\`.

\`npx booktape jobs run stale-days --dry-run\` lists stale days.
\`npx booktape jobs run verify-dataset --dataset trades --date 2024-08-08\` reads a day back. It
checks sha256, row counts, schema, order and null rules, compares the files with each other, and
compares the coverage with the gap ledger. It exits with 0 only if everything is right.`

function tardis(): string {
  const names = Object.entries(TARDIS_EXCHANGES).map(([ours, theirs]) => `${ours} is \`${theirs}\``)
  const [incremental, snapshot] = [
    TARDIS_HEADERS.incremental_book_L2,
    TARDIS_HEADERS.book_snapshot_25.replace(/,asks\[1\].*/, ', … bids[24].amount'),
  ]
  return `## CSV like Tardis

\`\`\`
trades                ${TARDIS_HEADERS.trades}
quotes                ${TARDIS_HEADERS.quotes}
incremental_book_L2   ${incremental}
book_snapshot_25      ${snapshot}
\`\`\`

Gzip, comma-separated, times in microseconds since 1970: \`timestamp\` is \`ts_exchange\`,
\`local_timestamp\` is \`ts_ingest\`; \`side\` is the taker's; numbers have no exponents. In the
column \`exchange\` and in file names, ${names.join(', ')}.
Rows are in the order of \`local_timestamp\`, as Tardis' readers expect them.

One thing differs from Tardis' own files: days are cut by \`timestamp\`. A refilled trade has the
time of its refill in \`local_timestamp\`. The two files of the book are in the dataset \`depth\`;
their \`local_timestamp\` is when the book with the update was known here, which is later than its
arrival if an earlier update came after it.`
}

const BACKTESTERS = `## Forms of backtesters

The dataset \`depth\` (\`DEPTH_SYMBOLS\`) has one file of each form per symbol.

\`binance-futures_hftbacktest_YYYY-MM-DD_BTCUSDT.npz\` is for
[hftbacktest](https://github.com/nkaz001/hftbacktest): one array \`data\` of its event type, trades
and the book, times in nanoseconds. Events are in the order of the exchange and in that of arrival at
once; one that was overtaken occurs twice, with \`EXCH_EVENT\` and with \`LOCAL_EVENT\`. If our
clock was behind the exchange's, all arrivals of the day are moved by the largest difference. A
snapshot begins with \`DEPTH_CLEAR_EVENT\` per side. A refilled trade reaches the local side when it
was refilled.

\`binance-futures_nautilus_YYYY-MM-DD_BTCUSDT.tar\` is for
[nautilus_trader](https://github.com/nautechsystems/nautilus_trader): quotes, trades and order book
deltas for ParquetDataCatalog, in high precision (16 bytes), the standard on Linux and macOS. Unpack
the days into one folder:

\`\`\`sh
tar -xf binance-futures_nautilus_2024-08-08_BTCUSDT.tar -C catalog
\`\`\`

The instrument is \`BTCUSDT-PERP.BINANCE\`; its definition is not in the tar. Prices and sizes have
as many decimals as the day used (\`price_precision\`, \`size_precision\`). A quote with an empty side
is left out, because a QuoteTick has both.`

const EXAMPLES = `## Reading datasets

DuckDB, one symbol of a day. Instead of a local file, use a URL from
\`/v1/datasets/features_1s/2024-08-08\`:

\`\`\`sql
select ts, mid_close, ofi from read_parquet('features_1s.parquet') where symbol = 'BTCUSDT';

-- Features with the returns that followed.
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

Many days at once, from the bucket or a copy of it. The manifest of each day selects the build:

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
