/**
 * The verdict: compares what the exchange sent with the tables and the gap ledger. The rule is
 * strict. Every requested frame is in the tables, once and with the sent values, or inside a gap of
 * its stream. Every frame that reached the tape intact is in the tables, even inside a gap. Every
 * row comes from an intact frame; only trades are refilled.
 */
import type { Client } from '#core/node/pool.ts'

export interface Verdict {
  /** Frames written intact to a socket. */
  readonly sent: number
  /** Requested frames that were dropped, corrupted, or had no socket. */
  readonly undelivered: number
  /** Distinct frames on the tape that are exactly as sent. */
  readonly received: number
  /** Events in the tables. */
  readonly stored: number
  /** Sent, but neither in the tables nor inside a gap. */
  readonly lost: number
  /** Undelivered, but neither in the tables nor inside a gap. */
  readonly unledgered: number
  /** On the tape but not in the tables; a gap does not excuse it. */
  readonly received_lost: number
  /** On the tape with values that differ from what was sent, or never sent. */
  readonly mangled: number
  /** Ids with more than one row. */
  readonly duplicated: number
  /** Rows whose time or values differ from what was sent. */
  readonly altered: number
  /** Rows that the exchange never sent, since the stream's first subscription. */
  readonly invented: number
  /** Rows without an intact frame on the tape, except for refilled trades. */
  readonly unreceived: number
  /** Dropped on a healthy socket before the stream's first frame: nothing can reveal them. */
  readonly unknowable: number
  readonly gaps: number
  readonly gap_causes: Readonly<Record<string, number>>
  /** Gaps marked as completely closed. */
  readonly repaired: number
  /** Refilled rows, according to the gaps. */
  readonly refilled_rows: number
  /** Trades that are missing although their gap is marked as closed. */
  readonly falsely_repaired: number
  /** Missing trades that the exchange still offers. */
  readonly unrefilled: number
  /** Examples of each kind of finding: stream, id, time, outcome and gap. */
  readonly examples: readonly string[]
}

type Finding = keyof typeof FINDINGS
type Figures = Omit<Verdict, Finding | 'examples'>

/** Needs the tables of evidence.ts. */
export async function check(client: Client): Promise<Verdict> {
  await client.query(MISSING)
  for (const [kind, { select }] of Object.entries(FINDINGS)) {
    await client.query(
      `insert into chaos.finding select '${kind}', symbol, channel, id from (${select}) found`,
    )
  }
  const figures = await client.query<Figures>(FIGURES)
  const found = await client.query<{ counts: Partial<Record<Finding, number>> }>(COUNTS)
  const examples = await client.query<{ text: string }>(EXAMPLES)
  return {
    ...figures.rows[0]!,
    ...NONE_FOUND,
    ...found.rows[0]!.counts,
    examples: examples.rows.map((row) => row.text),
  }
}

/** The problems of a verdict, as sentences; empty if there are none. */
export function complaints(verdict: Verdict): readonly string[] {
  return Object.entries(FINDINGS).flatMap(([name, { complaint }]) => {
    const count = verdict[name as Finding]
    return count === 0 || complaint === null ? [] : [`${count} ${complaint}`]
  })
}

const EXAMPLES_MAX = 5

/** True if gap `g` belongs to the stream of chaos.sent and contains the frame. */
const COVERS = `g.symbol = sent.symbol and g.channel = sent.channel
  and case when g.from_id is null then sent.ts_exchange >= g.from_ts else sent.id > g.from_id end
  and case when g.to_id is null then sent.ts_exchange <= g.to_ts else sent.id < g.to_id end`

/** Frames without a row, and whether a gap covers them. */
const MISSING = `
  create unlogged table chaos.missing as
  select sent.symbol, sent.channel, sent.id, sent.outcome, gap.is_covered, gap.is_closed, gap.is_by_choice
  from chaos.sent
  left join lateral (
    select count(*) > 0 as is_covered, coalesce(bool_or(g.repaired_at is not null), false) as is_closed,
      coalesce(bool_or(g.cause = 'operator'), false) as is_by_choice
    from chaos.gap g where ${COVERS}
  ) gap on true
  where not exists (
    select from chaos.stored_key k
    where k.symbol = sent.symbol and k.channel = sent.channel and k.id = sent.id
  );
  -- A gap of a stream that has not spoken since: its row comes with the next event. Several events
  -- may have the time of the last one.
  update chaos.missing m set is_covered = true, is_by_choice = m.is_by_choice or o.deaf_cause = 'operator'
  from chaos.sent, marketdata.stream_offsets o join marketdata.symbols s on s.id = o.symbol_id
  where (sent.symbol, sent.channel, sent.id) = (m.symbol, m.channel, m.id)
    and s.symbol = m.symbol and o.channel = m.channel and o.deaf_cause is not null
    and (sent.ts_exchange, sent.id) > (o.ts_exchange, coalesce(o.last_id, 0));
  create unlogged table chaos.finding (kind text, symbol text, channel text, id bigint)`

/** The stream of chaos.missing `m` had no frame before this one was withheld. */
const IS_UNKNOWABLE = `outcome in ('drop', 'silence') and not is_covered and not exists (
  select from chaos.received r where r.symbol = m.symbol and r.channel = m.channel and r.id < m.id)`

const FINDINGS = {
  lost: {
    select: "select * from chaos.missing where outcome = 'sent' and not is_covered",
    complaint: 'sent frames are neither stored nor inside a gap',
  },
  unledgered: {
    select: `select * from chaos.missing m
      where outcome <> 'sent' and not is_covered and not (${IS_UNKNOWABLE})`,
    complaint: 'undelivered frames are neither stored nor inside a gap',
  },
  unknowable: { select: `select * from chaos.missing m where ${IS_UNKNOWABLE}`, complaint: null },
  received_lost: {
    select: `select * from chaos.received r where not exists (
      select from chaos.stored_key k
      where k.symbol = r.symbol and k.channel = r.channel and k.id = r.id)`,
    complaint: 'frames on the tape are not in the tables',
  },
  mangled: {
    select: `select distinct f.symbol, f.channel, f.id from chaos.received_frame f
      left join chaos.sent using (symbol, channel, id)
      where sent.id is null or (sent.outcome = 'sent' and sent.digest <> f.digest)`,
    complaint: 'frames on the tape are not what the exchange sent',
  },
  duplicated: {
    select: 'select * from chaos.stored_key where row_count > 1',
    complaint: 'events are stored more than once',
  },
  altered: {
    select: `select * from chaos.stored t join chaos.sent using (symbol, channel, id)
      where (t.ts_exchange, t.facts) is distinct from (sent.ts_exchange, sent.facts)`,
    complaint: 'rows differ from what was sent',
  },
  invented: {
    select: `select * from chaos.stored_key k
      join (select symbol, channel, min(id) as first_id from chaos.sent group by 1, 2) first
        using (symbol, channel)
      where k.id >= first_id and not exists (
        select from chaos.sent
        where sent.symbol = k.symbol and sent.channel = k.channel and sent.id = k.id)`,
    complaint: 'rows were never sent',
  },
  unreceived: {
    select: `select * from chaos.stored_key k where channel <> 'trades' and not exists (
      select from chaos.received r
      where r.symbol = k.symbol and r.channel = k.channel and r.id = k.id)`,
    complaint: 'rows have no intact frame on the tape',
  },
  unrefilled: {
    select: `select symbol, channel, id from chaos.missing m
      where channel = 'trades' and not is_by_choice and not (${IS_UNKNOWABLE})`,
    complaint: 'missing trades are still offered by the exchange',
  },
  falsely_repaired: {
    select: "select * from chaos.missing where channel = 'trades' and is_closed",
    complaint: 'trades are missing from gaps marked as closed',
  },
} as const satisfies Partial<
  Record<keyof Verdict, { readonly select: string; readonly complaint: string | null }>
>

const NONE_FOUND = Object.fromEntries(Object.keys(FINDINGS).map((kind) => [kind, 0])) as Record<
  Finding,
  number
>

const COUNTS = `
  select coalesce(jsonb_object_agg(kind, finding_count), '{}') as counts
  from (select kind, count(*)::int as finding_count from chaos.finding group by kind) by_kind`

const FIGURES = `
  select
    (select count(*) from chaos.sent where outcome = 'sent')::int as sent,
    (select count(*) from chaos.sent where outcome <> 'sent')::int as undelivered,
    (select count(*) from chaos.received)::int as received,
    (select count(*) from chaos.stored_key)::int as stored,
    (select count(*) from chaos.gap)::int as gaps,
    (select coalesce(jsonb_object_agg(cause, gap_count), '{}') from (
      select cause, count(*)::int as gap_count from chaos.gap group by 1) by_cause) as gap_causes,
    (select count(*) from chaos.gap where repaired_at is not null)::int as repaired,
    (select coalesce(sum(repaired_count), 0) from chaos.gap)::int as refilled_rows`

const UTC = `at time zone 'UTC'`

const EXAMPLES = `
  select format('%s: %s %s %s of %s, %s, %s', kind, symbol, channel, id,
    coalesce((sent.ts_exchange ${UTC})::text, 'an unknown time'),
    coalesce('outcome ' || sent.outcome, 'never sent'), coalesce(gap.text, 'in no gap')) as text
  from (select *, row_number() over (partition by kind order by symbol, channel, id) as place
    from chaos.finding) f
  left join chaos.sent using (symbol, channel, id)
  left join lateral (
    select format('in gap %s (%s, from %s to %s%s)', g.id, g.cause, g.from_ts ${UTC}, g.to_ts ${UTC},
      case when g.repaired_at is null then '' else ', closed' end) as text
    from chaos.gap g where ${COVERS} order by g.id limit 1
  ) gap on true
  where place <= ${EXAMPLES_MAX} order by kind, place`
