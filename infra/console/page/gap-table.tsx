/** Gaps as lines of a table. */
import { duration } from '../state/words.ts'
import type { GapView } from '../wire.ts'
import { Badge, stamp, Table } from './parts.tsx'

export function GapTable({ gaps }: { readonly gaps: readonly GapView[] }) {
  return (
    <Table
      caption="Gaps"
      head={['Symbol', 'Channel', 'Cause', 'From (UTC)', ['Length', 'n'], 'Refilled', 'Note']}
    >
      {gaps.map((gap) => (
        <tr key={gap.id}>
          <th scope="row">
            <a
              href={`#/streams/${encodeURIComponent(gap.exchange)}/${encodeURIComponent(gap.symbol)}`}
            >
              {gap.symbol}
            </a>
          </th>
          <td>{gap.channel}</td>
          <td>{gap.cause}</td>
          <td>{stamp(gap.from_ts)}</td>
          <td class="n">{gap.to_ts === null ? 'not ended' : duration(lengthOf(gap))}</td>
          <td>{refilled(gap)}</td>
          <td class="wrap">{gap.note ?? ''}</td>
        </tr>
      ))}
    </Table>
  )
}

/** Length [s]; a gap that has not ended is measured until now. */
export function lengthOf({ from_ts, to_ts }: GapView): number {
  return Math.max(
    0,
    ((to_ts === null ? Date.now() : Date.parse(to_ts)) - Date.parse(from_ts)) / 1_000,
  )
}

function refilled({ is_repaired, repaired_count, to_ts }: GapView) {
  if (is_repaired)
    return <Badge mark="ok">yes{repaired_count > 0 ? `, ${repaired_count} trades` : ''}</Badge>
  if (to_ts === null) return <Badge mark="bad">not ended</Badge>
  return <Badge mark="off">no{repaired_count > 0 ? `, ${repaired_count} trades so far` : ''}</Badge>
}
