/**
 * The verdict: what the exchange sent against what stands in the tables and in the gap ledger.
 * The rule is strict and simple: every frame that was asked for is in the tables, once and with
 * the values it was sent with, or inside a gap of its stream; what reached the tape is in the
 * tables, gap or not.
 */
import type { Client } from '#core/node/pool.ts'

export interface Verdict {
  /** Frames handed to a socket unharmed. */
  readonly sent: number
  /** Frames that were asked for and dropped, spoiled, or had no socket to go to. */
  readonly undelivered: number
  /** Frames on the tape that are whole events, each once. */
  readonly received: number
  /** Events in the tables. */
  readonly stored: number
  /** Sent, or on the tape, and neither in the tables nor inside a gap. */
  readonly lost: number
  /** Undelivered, and neither in the tables nor inside a gap. */
  readonly unledgered: number
  /** On the tape and not in the tables. A gap is no excuse. */
  readonly received_lost: number
  /** Ids with more than one row. */
  readonly duplicated: number
  /** Rows with another time or other values than were sent. */
  readonly altered: number
  /** Rows that the exchange knows nothing of; from a stream's first subscription on. */
  readonly invented: number
  /** Dropped on a healthy socket before the stream had ever spoken: nothing shows them. */
  readonly unknowable: number
  readonly gaps: number
  readonly gap_causes: Readonly<Record<string, number>>
  /** Gaps that say they were closed completely. */
  readonly repaired: number
  /** Rows that came by repair, as the gaps say. */
  readonly refilled_rows: number
  /** Trades that are missing although their gap says that it is closed. */
  readonly falsely_repaired: number
  /** Trades that are missing: the exchange would still give them. */
  readonly unrefilled: number
  /** Some of the missing ones, for whoever looks for the cause. */
  readonly examples: readonly string[]
}

/** Needs the tables of evidence.ts. */
export async function check(client: Client): Promise<Verdict> {
  await client.query(MISSING)
  const { rows } = await client.query<Omit<Verdict, 'examples'>>(COUNTS)
  const examples = await client.query<{ text: string }>(EXAMPLES)
  return { ...rows[0]!, examples: examples.rows.map((row) => row.text) }
}

/** What makes a verdict bad, as sentences; none where all is well. */
export function complaints(verdict: Verdict): readonly string[] {
  return FAULTS.flatMap(([name, sentence]) =>
    verdict[name] === 0 ? [] : [`${verdict[name]} ${sentence}`],
  )
}

const FAULTS = [
  ['lost', 'frames were sent and are neither stored nor inside a gap'],
  ['unledgered', 'undelivered frames are neither stored nor inside a gap'],
  ['received_lost', 'frames stand on the tape and not in the tables'],
  ['duplicated', 'events are stored more than once'],
  ['altered', 'rows differ from what was sent'],
  ['invented', 'rows were never sent'],
  ['unrefilled', 'trades are missing that the exchange still gives'],
  ['falsely_repaired', 'trades are missing from gaps that say they are closed'],
] as const satisfies readonly (readonly [keyof Verdict, string])[]

const MISSING = `
  create table chaos.missing as
  select sent.*, coalesce(gap.is_covered, false) as is_covered, coalesce(gap.is_closed, false) as is_closed
  from chaos.sent
  left join marketdata.symbols s on s.symbol = sent.symbol
  left join lateral (
    select true as is_covered, bool_or(g.repaired_at is not null) as is_closed
    from marketdata.gaps g
    where g.symbol_id = s.id and g.channel = sent.channel
      and case when g.from_id is null then sent.ts_exchange >= g.from_ts else sent.id > g.from_id end
      and case when g.to_id is null then sent.ts_exchange <= g.to_ts else sent.id < g.to_id end
    having count(*) > 0
    -- A hole of a stream that has not spoken since: its row comes with the next event.
    union all
    select true, false from marketdata.stream_offsets o
    where o.symbol_id = s.id and o.channel = sent.channel and o.deaf_cause is not null
      and sent.ts_exchange > o.ts_exchange
    limit 1
  ) gap on true
  where not exists (
    select from chaos.stored_key k
    where k.symbol = sent.symbol and k.channel = sent.channel and k.id = sent.id
  );
  create table chaos.unknowable as
  with gone as (
    delete from chaos.missing m
    where outcome in ('drop', 'silence') and not is_covered and not exists (
      select from chaos.received r where r.symbol = m.symbol and r.channel = m.channel and r.id < m.id
    )
    returning 1
  )
  select count(*)::int as frame_count from gone`

const COUNTS = `
  select
    (select count(*) from chaos.sent where outcome = 'sent')::int as sent,
    (select count(*) from chaos.sent where outcome <> 'sent')::int as undelivered,
    (select count(*) from chaos.received)::int as received,
    (select count(*) from chaos.stored_key)::int as stored,
    (select count(*) from chaos.missing where outcome = 'sent' and not is_covered)::int as lost,
    (select count(*) from chaos.missing where outcome <> 'sent' and not is_covered)::int as unledgered,
    (select count(*) from chaos.received r where not exists (
      select from chaos.stored_key k
      where k.symbol = r.symbol and k.channel = r.channel and k.id = r.id))::int as received_lost,
    (select count(*) from chaos.stored_key where row_count > 1)::int as duplicated,
    (select count(*) from chaos.stored t join chaos.sent using (symbol, channel, id)
      where (t.ts_exchange, t.facts) is distinct from (sent.ts_exchange, sent.facts))::int as altered,
    (select count(*) from chaos.stored_key k
      join (select symbol, channel, min(id) as first_id from chaos.sent group by 1, 2) first
        using (symbol, channel)
      where k.id >= first_id and not exists (
        select from chaos.sent
        where sent.symbol = k.symbol and sent.channel = k.channel and sent.id = k.id))::int as invented,
    (select frame_count from chaos.unknowable) as unknowable,
    (select count(*) from marketdata.gaps)::int as gaps,
    (select coalesce(jsonb_object_agg(cause, gap_count), '{}') from (
      select cause, count(*)::int as gap_count from marketdata.gaps group by 1) by_cause) as gap_causes,
    (select count(*) from marketdata.gaps where repaired_at is not null)::int as repaired,
    (select coalesce(sum(repaired_count), 0) from marketdata.gaps)::int as refilled_rows,
    (select count(*) from chaos.missing where channel = 'trades' and is_closed)::int as falsely_repaired,
    (select count(*) from chaos.missing where channel = 'trades')::int as unrefilled`

const EXAMPLES = `
  select format('%s %s %s of %s: %s, %s', symbol, channel, id, ts_exchange at time zone 'UTC', outcome,
    case when is_covered then 'inside a gap' else 'in no gap' end) as text
  from chaos.missing where not is_covered or channel = 'trades' order by is_covered, ts_exchange limit 10`
