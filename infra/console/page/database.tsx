/** Tables in Postgres, what retention would drop and why not the rest, and the archive. */
import { bytes, count, counted, duration } from '../state/words.ts'
import type { DatabaseView, Snapshot } from '../wire.ts'
import { useAsk } from './api.ts'
import { Badge, Bar, Card, Empty, Failure, stamp, Table } from './parts.tsx'

const REASONS: Readonly<Record<string, string>> = {
  age: 'older than its limit',
  budget: 'over the budget',
  empty: 'empty',
  remainder: 'late rows that are archived; the rest of the hour is gone',
  not_over: 'its time is not over',
  not_archived: 'not archived yet',
  late_rows: 'late rows wait for the archive or a rollup',
  rollup_behind: 'a rollup is behind',
  topn_behind: 'orderbook_topn is behind',
  source_stays: 'what it is made from cannot go yet',
  within_limits: 'within the limits',
}
const PARTITIONS_MAX = 400

export function Database({ snapshot }: { readonly snapshot: Snapshot }) {
  const { data, error } = useAsk<DatabaseView>('/db-stats', 10_000)
  const { database, disk } = snapshot
  return (
    <>
      <Card title="Postgres" note={data && `version ${data.version}`}>
        <p>
          <Badge mark={database.is_up ? 'ok' : 'bad'}>
            {database.is_up ? 'answers' : `does not answer: ${database.error}`}
          </Badge>
          {data === undefined
            ? null
            : ` · ${bytes(data.database_bytes)}, ${data.connections.used} of ${counted(data.connections.limit, 'connection')} in use`}
          {disk === null || disk.bytes_per_hour === null
            ? null
            : `, +${bytes(disk.bytes_per_hour)} an hour${disk.budget_in_s === null ? '' : `, budget used up in ${duration(disk.budget_in_s)}`}`}
        </p>
        <Failure error={error} what="The database" />
        {data === undefined ? null : <Tables tables={data.tables} />}
      </Card>
      {data === undefined ? null : <Retention retention={data.retention} />}
      {data === undefined ? null : <Archive archive={data.archive} />}
    </>
  )
}

function Tables({ tables }: { readonly tables: DatabaseView['tables'] }) {
  const large = tables.filter((table) => table.partition_count > 0)
  const small = tables.filter((table) => table.partition_count === 0)
  return (
    <>
      <TableList tables={large} />
      <details>
        <summary>
          {counted(small.length, 'table')} without partitions,{' '}
          {bytes(small.reduce((sum, table) => sum + table.bytes, 0))}
        </summary>
        <TableList tables={small} />
      </details>
    </>
  )
}

function TableList({ tables }: { readonly tables: DatabaseView['tables'] }) {
  const largest = Math.max(1, ...tables.map((table) => table.bytes))
  return (
    <Table
      caption="Tables"
      head={[
        'Table',
        ['Size', 'n'],
        'Share',
        ['Last whole hour', 'n'],
        ['Rows, about', 'n'],
        ['Partitions', 'n'],
        'Oldest (UTC)',
        'Newest (UTC)',
      ]}
    >
      {tables.map((table) => (
        <tr key={table.name}>
          <th scope="row">{table.name}</th>
          <td class="n">{bytes(table.bytes)}</td>
          <td>
            <Bar value={table.bytes} max={largest} label={`Size of ${table.name}`} />
          </td>
          <td class="n">{table.hour_bytes === null ? '–' : bytes(table.hour_bytes)}</td>
          <td class="n">{count(table.row_estimate)}</td>
          <td class="n">{table.partition_count === 0 ? '–' : count(table.partition_count)}</td>
          <td>{table.oldest === null ? '–' : stamp(table.oldest).slice(0, 16)}</td>
          <td>{table.newest === null ? '–' : stamp(table.newest).slice(0, 16)}</td>
        </tr>
      ))}
    </Table>
  )
}

function Retention({ retention }: { readonly retention: DatabaseView['retention'] }) {
  const { used_bytes, budget_bytes, partitions } = retention
  const going = partitions.filter(({ is_dropped }) => is_dropped)
  return (
    <Card title="Retention" note="what its next run would do: a dry run">
      <p>
        Hourly partitions take {bytes(used_bytes)}
        {budget_bytes === 0
          ? '; there is no budget.'
          : ` of a budget of ${bytes(budget_bytes)}.`}{' '}
        {going.length === 0
          ? 'None would be dropped now.'
          : `${counted(going.length, 'partition')} would be dropped now: ${bytes(going.reduce((sum, one) => sum + one.bytes, 0))}.`}
      </p>
      {budget_bytes === 0 ? null : (
        <Bar
          value={used_bytes}
          max={budget_bytes}
          label="Share of the budget"
          mark={used_bytes > budget_bytes ? 'warn' : 'ok'}
        />
      )}
      {partitions.length === 0 ? (
        <Empty>There is no partition yet.</Empty>
      ) : (
        <details>
          <summary>{counted(partitions.length, 'partition')}, oldest first</summary>
          <Table
            caption="Partitions"
            head={['Partition', 'Fate', 'Why', ['Size', 'n'], 'From (UTC)']}
          >
            {partitions.slice(0, PARTITIONS_MAX).map((one) => (
              <tr key={one.partition}>
                <th scope="row">{one.partition}</th>
                <td>
                  <Badge mark={one.is_dropped ? 'warn' : 'off'}>
                    {one.is_dropped ? 'goes' : 'stays'}
                  </Badge>
                </td>
                <td>{REASONS[one.reason] ?? one.reason}</td>
                <td class="n">{bytes(one.bytes)}</td>
                <td>{stamp(one.from).slice(0, 16)}</td>
              </tr>
            ))}
          </Table>
        </details>
      )}
    </Card>
  )
}

function Archive({ archive }: { readonly archive: DatabaseView['archive'] }) {
  return (
    <Card title="Archive" note="finished hours in the object store">
      {archive.length === 0 ? (
        <Empty>
          No hour is archived yet. Hours are archived some minutes after they end;{' '}
          <code>npx booktape jobs run archive</code> does it now.
        </Empty>
      ) : (
        <Table
          caption="Archive"
          head={[
            'Table',
            'Exchange',
            ['Hours', 'n'],
            ['Versions', 'n'],
            ['Rows', 'n'],
            ['Size', 'n'],
            'Newest hour (UTC)',
          ]}
        >
          {archive.map((one) => (
            <tr key={`${one.exchange} ${one.table_name}`}>
              <th scope="row">{one.table_name}</th>
              <td>{one.exchange}</td>
              <td class="n">{count(one.hour_count)}</td>
              <td class="n">
                {count(one.version_count)}
                {one.version_max > 1 ? `, up to v${one.version_max}` : ''}
              </td>
              <td class="n">{count(one.row_count)}</td>
              <td class="n">{bytes(one.bytes)}</td>
              <td>{stamp(one.newest_hour).slice(0, 16)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  )
}
