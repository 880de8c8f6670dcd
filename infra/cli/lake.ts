/** `npx booktape lake ...`: the Iceberg tables over the files of the object store. */
import { Command, InvalidArgumentError } from 'commander'
import { OperatorError } from '#core/errors.ts'
import { silentLogger } from '#core/node/log.ts'
import { PUBLISHED } from '../../jobs/datasets/published.ts'
import { parseLakeSettings } from '../../jobs/config.ts'
import { listTables, runExpiry } from '../../jobs/lake/expire.ts'
import { currentSnapshot, tagsOf } from '../../jobs/lake/format/metadata.ts'
import { type TableName, tableName } from '../../jobs/lake/format/table.ts'
import { metadataPath } from '../../jobs/lake/metadata-path.ts'
import { type Current, openPointer } from '../../jobs/lake/pointer.ts'
import { runLake } from '../../jobs/lake/run-lake.ts'
import { isTagName, removeTag, TAG_RULE, tagSnapshot } from '../../jobs/lake/tags.ts'
import { DATA_DIR_OPTION, type Services, withServices } from './services.ts'

interface Flags {
  readonly dataDir: string
}

export function lakeCommand(): Command {
  const lake = new Command('lake').description(
    'Iceberg tables over the archive and the datasets, for other engines',
  )
  lake
    .command('status')
    .description('list the tables: current snapshot, files, rows')
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags) => withServices(flags.dataDir, status))
  lake
    .command('snapshots')
    .description("list a table's snapshots and tags")
    .argument('<table>', 'such as raw.trades', tableArgument)
    .option(...DATA_DIR_OPTION)
    .action((table: TableName, flags: Flags) =>
      withServices(flags.dataDir, (services) => snapshots(services, table)),
    )
  lake
    .command('commit')
    .description('add new hours and days now (the jobs daemon does so every five minutes)')
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags) => withServices(flags.dataDir, (services) => commit(services, 'new')))
  lake
    .command('rebuild')
    .description('compare every table with the archive and the datasets, and add what differs')
    .addHelpText('after', '\nOld snapshots stay. Needed after a restore of the database or bucket.')
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags) => withServices(flags.dataDir, (services) => commit(services, 'all')))
  lake
    .command('expire')
    .description('forget old snapshots, and delete files that no snapshot names any more')
    .option('--keep-days <days>', 'instead of LAKE_KEEP_DAYS', daysArgument)
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & { readonly keepDays?: number }) =>
      withServices(flags.dataDir, (services) => expire(services, flags.keepDays)),
    )
  addTagCommands(lake)
  return lake
}

function addTagCommands(lake: Command): void {
  lake
    .command('tag')
    .description('name a snapshot, so that it and its files stay until the tag is removed')
    .argument('<table>', 'such as raw.trades', tableArgument)
    .argument('<name>', 'of the tag', tagArgument)
    .option('--snapshot <id>', 'id of the snapshot (default: the current one)', idArgument)
    .option(...DATA_DIR_OPTION)
    .action((table: TableName, tag: string, flags: Flags & { readonly snapshot?: number }) =>
      withServices(flags.dataDir, async (services) => {
        const tagging = { table, tag, snapshot_id: flags.snapshot, now_ms: Date.now() }
        const id = await tagSnapshot(services, tagging)
        process.stdout.write(`${tag} is the snapshot ${id} of ${tableName(table)}.\n`)
      }),
    )
  lake
    .command('untag')
    .description('remove a tag; its snapshot then expires like others')
    .argument('<table>', 'such as raw.trades', tableArgument)
    .argument('<name>', 'of the tag', tagArgument)
    .option(...DATA_DIR_OPTION)
    .action((table: TableName, tag: string, flags: Flags) =>
      withServices(flags.dataDir, async (services) => {
        await removeTag(services, { table, tag, now_ms: Date.now() })
        process.stdout.write(`${tableName(table)} has no tag ${tag} any more.\n`)
      }),
    )
}

async function status(services: Services): Promise<void> {
  const tables = await listTables(services.store)
  if (tables.length === 0) process.stdout.write('The lake has no table yet.\n')
  for (const table of tables) {
    const current = await (await openPointer(services, table)).current()
    if (current !== undefined) process.stdout.write(statusText(services, table, current))
  }
}

function statusText({ store }: Services, table: TableName, current: Current): string {
  const { metadata, version } = current
  const snapshot = currentSnapshot(metadata)
  const { summary = {} } = snapshot ?? {}
  const tags = [...tagsOf(metadata).keys()].join(', ') || 'none'
  const at = new Date(metadata['last-updated-ms']).toISOString()
  return [
    `${tableName(table)}: ${summary['total-data-files']} files, ${summary['total-records']} rows`,
    `  ${metadataPath(store, table, version)}`,
    `  snapshot ${metadata['current-snapshot-id']}, last commit ${at}, snapshots: ` +
      `${metadata.snapshots.length}, tags: ${tags}`,
    '',
  ].join('\n')
}

async function snapshots(services: Services, table: TableName): Promise<void> {
  const current = await (await openPointer(services, table)).current()
  if (current === undefined) {
    throw new OperatorError('no_lake_table', `The lake has no table ${tableName(table)}.`, {
      hint: '`npx booktape lake status` lists the tables.',
    })
  }
  const { metadata } = current
  const tags = Map.groupBy(tagsOf(metadata), ([, id]) => id)
  for (const { 'snapshot-id': id, 'timestamp-ms': at_ms, summary } of metadata.snapshots) {
    const of_id = (tags.get(id) ?? []).map(([name]) => `  tag ${name}`).join('')
    const line = [
      String(id).padEnd(16),
      new Date(at_ms).toISOString(),
      summary['operation']!.padEnd(9),
      summary['booktape.of']!.padEnd(13),
      `${summary['total-data-files']} files, ${summary['total-records']} rows${of_id}`,
    ]
    process.stdout.write(`${line.join('  ')}\n`)
  }
}

async function commit(services: Services, which: 'new' | 'all'): Promise<void> {
  let snapshot_count = 0
  await stoppable((signal) =>
    runLake({
      ...services,
      datasets: PUBLISHED,
      log: silentLogger,
      now: Date.now,
      signal,
      which,
      onTable(name, { snapshots: made, added_files, added_rows, removed_files }) {
        snapshot_count += made.length
        if (made.length === 0) return
        const files = `${added_files} files added, ${removed_files} replaced`
        process.stdout.write(`${name}: ${made.length} snapshots, ${files}, ${added_rows} rows\n`)
      },
    }),
  )
  if (snapshot_count === 0) process.stdout.write('The lake has everything already.\n')
}

const DAY_MS = 86_400_000

async function expire(services: Services, keep_days: number | undefined): Promise<void> {
  const { keep_ms } =
    keep_days === undefined ? parseLakeSettings(services.env) : { keep_ms: keep_days * DAY_MS }
  await stoppable((signal) =>
    runExpiry(
      { ...services, keep_ms, log: silentLogger, now: Date.now, signal },
      (name, { snapshot_count, metadata_files, data_files }) => {
        process.stdout.write(
          `${name}: ${snapshot_count} snapshots forgotten; deleted: ${metadata_files} metadata ` +
            `files, ${data_files} replaced files\n`,
        )
      },
    ),
  )
}

async function stoppable(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stopping = new AbortController()
  const stop = (): void => stopping.abort(new OperatorError('stopped', 'Stopped. Run this again.'))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    await work(stopping.signal)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

function tableArgument(text: string): TableName {
  const match = /^(raw|derived|datasets)\.([a-z0-9_]+)$/.exec(text)
  if (match === null) {
    throw new InvalidArgumentError('Expected a table such as raw.trades or datasets.candles_v2.')
  }
  return { namespace: match[1] as TableName['namespace'], name: match[2]! }
}

function tagArgument(text: string): string {
  if (isTagName(text)) return text
  throw new InvalidArgumentError(`Expected ${TAG_RULE}.`)
}

function idArgument(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected the id of a snapshot, a whole number.')
}

function daysArgument(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected whole days.')
}
