/** `npx booktape size`: the disk and memory that an installation needs. */
import { Command, InvalidArgumentError } from 'commander'
import { type Sizing, sizeOf, TIGHT_DELAY_S } from '../sizing/size.ts'
import { gigabytes, wholeNumber } from './options.ts'

interface Flags {
  readonly symbols: number
  readonly eventsPerS: number
  readonly depthSymbols: number
  readonly clusterSymbols: number
  readonly database: number
  readonly tape: number
  readonly json?: true
}

export function sizeCommand(): Command {
  return new Command('size')
    .description('the disk and memory that an installation needs, from measured figures')
    .requiredOption('--symbols <count>', 'symbols to record', wholeNumber(1, 100_000))
    .requiredOption(
      '--events-per-s <rate>',
      'events a second on average, of all channels together',
      wholeNumber(1, 10_000_000),
    )
    .option('--depth-symbols <count>', 'symbols with order books', wholeNumber(0, 100_000), 20)
    .option(
      '--cluster-symbols <count>',
      'symbols whose footprints are kept up (CLUSTERS_SYMBOLS)',
      wholeNumber(0, 100_000),
      0,
    )
    .option('--database <gb>', 'storage of the database', positive, 10)
    .option('--tape <gb>', 'disk that each tape may use (TAPE_MAX_BYTES)', positive, 8.6)
    .option('--json', 'the figures for machines')
    .action((flags: Flags) => {
      const sizing = sizeOf(
        {
          symbol_count: flags.symbols,
          events_per_s: flags.eventsPerS,
          depth_symbol_count: Math.min(flags.depthSymbols, flags.symbols),
          cluster_symbol_count: Math.min(flags.clusterSymbols, flags.symbols),
        },
        { database_gb: flags.database, tape_gb: flags.tape },
      )
      const text = flags.json === true ? JSON.stringify(sizing) : textOf(sizing, flags)
      process.stdout.write(`${text}\n`)
    })
}

function positive(text: string): number {
  const value = gigabytes(text)
  if (value > 0) return value
  throw new InvalidArgumentError('Expected more than 0 gigabytes.')
}

const FITS: Readonly<Record<Sizing['postgres']['fits'], string>> = {
  yes: 'That is enough: an hour leaves once it is archived, about 2.2 hours after it began.',
  tight: `That is enough with ARCHIVE_DELAY_S=${TIGHT_DELAY_S}: hours are archived sooner, and late rows make a new version.`,
  no: 'That is not enough: take more storage, fewer symbols, or no order books.',
}

function textOf(sizing: Sizing, { symbols, eventsPerS, clusterSymbols, database }: Flags): string {
  const { events, ingestor_count, tape, postgres, clusters, lake, memory_mb } = sizing
  const by_channel = Object.entries(events)
    .map(([name, per_s]) => `${Math.round(per_s)} ${name.replace('_', ' ')}`)
    .join(', ')
  return [
    `${symbols} symbols, ${eventsPerS} events/s (${by_channel})`,
    `  ingestors   ${ingestor_count === 1 ? 'one' : `${ingestor_count} (SHARD=1/${ingestor_count} to ${ingestor_count}/${ingestor_count})`}`,
    `  tape        ${gb(tape.gb_per_hour)} an hour while Postgres is down; the tape lasts ${hours(tape.outage_h * ingestor_count)}`,
    `  Postgres    ${gb(postgres.gb_per_hour)} an hour, ${gb(postgres.gb_per_day)} a day`,
    `              RAW_DISK_BUDGET_GB=${round(postgres.budget_gb)} of ${database} GB holds ${hours(postgres.hot_h)}`,
    `              ${FITS[postgres.fits]}`,
    ...(clusterSymbols === 0
      ? []
      : [
          `  clusters    ${gb(clusters.gb_per_day)} a day in Postgres, ${gb(clusters.gb)} in a week, on top of that`,
        ]),
    `  lake        ${gb(lake.archive_gb_per_day)} a day of archive, ${gb(lake.datasets_gb_per_day)} a day of features: ${gb(lake.gb_per_month)} a month`,
    `  memory      ${Math.round(memory_mb.by_day)} MB for all programs, ${Math.round(memory_mb.at_night)} MB in the nightly run`,
  ].join('\n')
}

function gb(value: number): string {
  return `${round(value)} GB`
}

function hours(value: number): string {
  return value < 48 ? `${round(value)} h` : `${round(value / 24)} days`
}

function round(value: number): number {
  return Number(value.toPrecision(value < 10 ? 2 : 3))
}
