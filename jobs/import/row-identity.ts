/** When a row of a file is one that the table has, as SQL over `s` (staged) and `t` (table). */
import type { Table } from '#core/tables.ts'
import type { Identity } from './kind.ts'

export function keysEqual({ identity }: Table): string {
  return identity.map((name) => `t.${name} = s.${name}`).join(' and ')
}

export function rowsEqual(table: Table): string {
  const rest = table.columns
    .map(({ name }) => name)
    .filter((name) => !table.identity.includes(name))
  const of = (row: string): string => rest.map((name) => `${row}.${name}`).join(', ')
  return `${keysEqual(table)} and (${of('t')}) is not distinct from (${of('s')})`
}

/**
 * True for staged rows that were not recorded. `on conflict do nothing` leaves out those whose key
 * the table has. $1: symbol, $2 and $3: the hour. Rows of an hour that this file has filled before
 * (`continued`) do not count as recorded.
 */
export function unrecorded(
  table: string,
  identity: Identity,
  of_hour: 'first' | 'continued',
): string {
  const recorded = `select from marketdata.${table} t where t.symbol_id = $1`
  const hour = 't.ts_exchange >= $2::timestamptz and t.ts_exchange < $3::timestamptz'
  switch (identity) {
    case 'key':
      return 'true'
    case 'id':
      // The exchange's live streams have milliseconds of times that its files have in microseconds.
      return `not exists (${recorded} and ${hour} and t.agg_trade_id = s.agg_trade_id
        and date_trunc('milliseconds', t.ts_exchange) =
          date_trunc('milliseconds', s.ts_exchange))`
    case 'seconds':
      if (of_hour === 'continued') return 'true'
      return `(date_bin('1 second', s.ts_exchange, 'epoch') not in (
          select date_bin('1 second', t.ts_exchange, 'epoch') from marketdata.${table} t
          where t.symbol_id = $1 and ${hour}
        ) or exists (
          select from marketdata.gaps g
          where g.symbol_id = $1 and g.channel = '${table}' and g.repaired_at is null
            and g.cause <> 'import' and s.ts_exchange > g.from_ts and s.ts_exchange < g.to_ts
        ))`
    case 'hours':
      return of_hour === 'continued' ? 'true' : `not exists (${recorded} and ${hour})`
  }
}
