/**
 * Check `quality`: values of the last five minutes that no market produces. Takes linear time and
 * sorts nothing: outliers are measured against the first and last price of the span.
 */
import { givingLocksBack } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import type { Finding } from '#core/validation.ts'
import { before, type Checked, RECORDED_S, WINDOW_S } from './checked.ts'

interface Rule {
  readonly code: string
  /** SQL over one row, true if the row is wrong. */
  readonly is_wrong: string
  readonly meaning: string
}

interface Subject {
  readonly table_name: string
  /** SQL for the price to check for outliers; undefined: none. */
  readonly price: string | undefined
  readonly rules: readonly Rule[]
}

/**
 * A price further than this outside the first and the last price of the span is an outlier. A
 * market that really moves within five minutes has no such prices, because its last price moves
 * too.
 */
const OUTLIER_SHARE = 0.1

const noNumber = (...columns: readonly string[]): Rule => ({
  code: 'no_number',
  is_wrong: columns
    .map((name) => `${name} is null or ${name} in ('NaN', 'Infinity', '-Infinity')`)
    .join(' or '),
  meaning: 'have a value that is null or not a number',
})
/** Null is valid here: it marks an empty side. */
const noNumberOrHalf = (...columns: readonly (readonly [price: string, qty: string])[]): Rule => ({
  code: 'no_number',
  is_wrong: [
    ...columns.flat().map((name) => `${name} in ('NaN', 'Infinity', '-Infinity')`),
    ...columns.map(([price, qty]) => `(${price} is null) <> (${qty} is null)`),
  ].join(' or '),
  meaning: 'have a value that is not a number, or a price without a quantity',
})
const notPositive = (...columns: readonly string[]): Rule => ({
  code: 'price_not_positive',
  is_wrong: columns.map((name) => `${name} <= 0`).join(' or '),
  meaning: 'have a price of 0 or less',
})
const badQty = (is_wrong: string): Rule => ({
  code: 'bad_qty',
  is_wrong,
  meaning: 'have an impossible quantity',
})
const crossed = (bid: string, ask: string): Rule => ({
  code: 'crossed',
  is_wrong: `${bid} >= ${ask} and ${ask} > 0`,
  meaning: 'have a bid that is not below the ask',
})

const SUBJECTS: readonly Subject[] = [
  {
    table_name: 'book_ticker',
    price: '(best_bid + best_ask) / 2',
    rules: [
      noNumberOrHalf(['best_bid', 'bid_qty'], ['best_ask', 'ask_qty']),
      notPositive('best_bid', 'best_ask'),
      badQty('bid_qty < 0 or ask_qty < 0'),
      crossed('best_bid', 'best_ask'),
    ],
  },
  {
    table_name: 'trades',
    price: 'price',
    rules: [noNumber('price', 'qty'), notPositive('price'), badQty('qty <= 0')],
  },
  {
    table_name: 'orderbook_topn',
    price: undefined,
    rules: [notPositive('b1_price', 'a1_price'), crossed('b1_price', 'a1_price')],
  },
  {
    table_name: 'mark_price',
    price: 'mark_price',
    rules: [noNumber('mark_price'), notPositive('mark_price', 'index_price')],
  },
  {
    table_name: 'liquidations',
    price: undefined,
    rules: [noNumber('price', 'qty'), notPositive('price'), badQty('qty <= 0 or filled_qty > qty')],
  },
]

export async function checkQuality(client: Client, now: string): Promise<Checked> {
  const findings: Finding[] = []
  let row_count = 0
  for (const subject of SUBJECTS) {
    const { rows } = await givingLocksBack(client, () =>
      client.query<Record<string, string | number>>(sqlOf(subject), [now, before(now, WINDOW_S)]),
    )
    row_count += rows.reduce((sum, row) => sum + Number(row['row_count']), 0)
    for (const [index, rule] of rulesOf(subject).entries()) {
      const wrong = rows.filter((row) => Number(row[`wrong_${index}`]) > 0)
      if (wrong.length === 0) continue
      const count = wrong.reduce((sum, row) => sum + Number(row[`wrong_${index}`]), 0)
      findings.push({
        check: 'quality',
        code: rule.code,
        table_name: subject.table_name,
        symbols: wrong.map((row) => String(row['symbol'])),
        sentence: `${subject.table_name}: ${count} rows of the last ${WINDOW_S} s ${rule.meaning}.`,
      })
    }
  }
  findings.push(...(await findConflicts(client, now)))
  return { looked_at: `${row_count} rows`, row_count, findings }
}

/**
 * Rows that were rejected because they contradict a stored row. Covers the last day, because they
 * are rare.
 */
async function findConflicts(client: Client, now: string): Promise<readonly Finding[]> {
  const { rows } = await client.query<{ table_name: string; symbols: string[]; row_count: number }>(
    `select c.table_name, count(*)::int as row_count,
        array_agg(distinct coalesce(s.exchange || ' ' || s.symbol, c.kept->>'ticker')) as symbols
      from marketdata.conflicts c left join marketdata.symbols s on s.id = c.symbol_id
      where c.detected_at > $1::timestamptz - make_interval(secs => $2)
      group by c.table_name order by c.table_name`,
    [now, RECORDED_S],
  )
  return rows.map(({ table_name, symbols, row_count }) => ({
    check: 'quality',
    code: 'conflict',
    table_name,
    symbols,
    sentence:
      `${table_name}: ${row_count} rows of the last ${RECORDED_S} s contradict a stored row with ` +
      'the same identity; marketdata.conflicts has both.',
  }))
}

function rulesOf({ price, rules }: Subject): readonly Rule[] {
  if (price === undefined) return rules
  const outlier: Rule = {
    code: 'outlier',
    is_wrong: `${price} > 0 and first > 0 and last > 0 and
      (${price} < ${1 - OUTLIER_SHARE} * least(first, last)
        or ${price} > ${1 + OUTLIER_SHARE} * greatest(first, last))`,
    meaning: `have a price more than ${OUTLIER_SHARE * 100} % outside the span's first and last price`,
  }
  return [...rules, outlier]
}

/** Reads symbol by symbol along the primary key, and only this span of the partition. */
function sqlOf(subject: Subject): string {
  const { table_name, price } = subject
  const span = `from marketdata.${table_name} where symbol_id = s.id
    and ts_exchange >= $2 and ts_exchange < $1`
  const end = (name: string, order: string): string =>
    price === undefined
      ? ''
      : `left join lateral (
          select ${price} as ${name} ${span} order by ts_exchange ${order} limit 1
        ) ${name}_price on true`
  const counts = rulesOf(subject).map(
    ({ is_wrong }, index) => `count(*) filter (where ${is_wrong}) as wrong_${index}`,
  )
  return `select s.exchange || ' ' || s.symbol as symbol, r.*
    from marketdata.symbols s
    ${end('first', 'asc')}
    ${end('last', 'desc')}
    cross join lateral (select count(*) as row_count, ${counts.join(', ')} ${span}) r
    where r.row_count > 0
    order by s.exchange, s.symbol`
}
