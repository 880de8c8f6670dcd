/** Every change that an operator made. */
import type { AuditView } from '../wire.ts'
import { useAsk } from './api.ts'
import { Card, Empty, Failure, stamp, Table } from './parts.tsx'

export function Audit() {
  const { data, error } = useAsk<AuditView>('/audit', 3_000)
  return (
    <Card
      title="Audit"
      note={
        data?.source === 'ingestors'
          ? "Postgres is away: as the ingestors' own logs have it"
          : 'the newest 500'
      }
    >
      <Failure error={error} what="The audit log" />
      {data === undefined ? null : data.entries.length === 0 ? (
        <Empty>
          Nobody has changed anything. What is done with <code>npx booktape</code>, the API or this
          page is written here.
        </Empty>
      ) : (
        <Table
          caption="Audit"
          head={['At (UTC)', 'Who', 'From', 'Where', 'What', 'Asked for', 'Result']}
        >
          {data.entries.map((entry) => (
            <tr key={entry.audit_id}>
              <th scope="row">{stamp(entry.at)}</th>
              <td>{entry.actor}</td>
              <td>{entry.origin}</td>
              <td>{entry.instance}</td>
              <td>{entry.action}</td>
              <td class="wrap">
                <code>{shorten(entry.request)}</code>
              </td>
              <td class="wrap">{resultWords(entry.result)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  )
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? ''
  return text.length > 160 ? `${text.slice(0, 160)}…` : text
}

function resultWords(result: unknown): string {
  const { streams_added_count, streams_removed_count, streams_kept_count } = (result ??
    {}) as Readonly<Record<string, number | undefined>>
  if (streams_added_count === undefined) return result === null ? '' : shorten(result)
  return `${streams_added_count} streams added, ${streams_removed_count} removed, ${streams_kept_count} kept`
}
