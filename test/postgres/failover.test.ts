/**
 * A failover of a managed Postgres: connections are cut at random, the primary dies together with
 * commits that its replica never got, and the replica takes over. Ingestor, jobs and gateway go on.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { migrate } from '#core/node/migrate.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { ID_MODULUS } from '../../infra/exchange/ledger.ts'
import { startExchange } from '../../infra/exchange/server.ts'
import { freePorts } from '../../infra/local/ports.ts'
import { type Postgres, startPostgres } from '../../infra/local/postgres.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { SECRET, startTestGateway } from '../edge-api/support.ts'
import { received, startIngestor, until } from '../ingestor/support.ts'
import { temporaryDirectory } from '../ingestor/writer/support.ts'
import { CONNECT_LIMIT_MS } from '../support/patience.ts'
import { startSwitchProxy } from '../support/switch-proxy.ts'

const SYMBOL_COUNT = 10
const CUTS = 12
const ends: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const end of ends.toReversed()) await end().catch(() => undefined)
})

function open(url: string): Pool {
  const pool = createPool(url, 'test', 4, CONNECT_LIMIT_MS)
  ends.push(() => pool.end())
  return pool
}

interface Pair {
  readonly primary: Postgres
  readonly replica: Postgres
}

/** A primary, and a replica that streams from it. */
async function startPair(): Promise<Pair> {
  const dir = temporaryDirectory()
  chmodSync(dir, 0o755)
  const [primary_port, replica_port] = await freePorts(2)
  const common = { password: 'test', bin_dir: process.env['TEST_POSTGRES_BIN'] }
  const settings = { wal_level: 'replica', max_wal_senders: '4', max_connections: '40' }
  const at = { ...common, settings, dir: join(dir, 'primary'), port: primary_port! }
  const first = await startPostgres(at)
  const pool = createPool(first.url, 'test', 1, CONNECT_LIMIT_MS)
  await migrate(pool)
  await pool.end()
  await first.stop()
  execFileSync('cp', ['-a', at.dir, join(dir, 'replica')])
  writeFileSync(join(dir, 'replica', 'standby.signal'), '')
  const primary = await startPostgres(at)
  ends.push(() => primary.stop())
  const { username, password } = new URL(primary.url)
  const conninfo = `host=127.0.0.1 port=${primary_port} user=${username} password=${password}`
  const replica = await startPostgres({
    ...at,
    dir: join(dir, 'replica'),
    port: replica_port!,
    settings: { ...settings, primary_conninfo: conninfo, hot_standby: 'on' },
  })
  ends.push(() => replica.stop())
  return { primary, replica }
}

async function countOf(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    'select count(*)::int as count from marketdata.book_ticker',
  )
  return rows[0]!.count
}

test('connections cut at random, then another primary without the newest commits: no row is lost or doubled', async () => {
  const { primary, replica } = await startPair()
  const proxy = await startSwitchProxy(primary.url)
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 5, symbols: SYMBOL_COUNT, events_per_s: 1_000 },
  })
  ends.push(() => exchange.stop())
  const ingestor = startIngestor({
    DATABASE_URL: proxy.url,
    TAPE_DIR: join(temporaryDirectory(), 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    CHANNELS: 'book_ticker,trades',
  })
  const jobs = open(proxy.url)
  const gateway = await startTestGateway(proxy.url)
  ends.push(() => gateway.stop())
  const rollUp = (): Promise<unknown> =>
    runRollups({
      pool: jobs,
      log: silentLogger,
      now: Date.now,
      signal: new AbortController().signal,
    })
  /** Whether the gateway answers: it may refuse once for each connection that was cut. */
  const isServed = async (): Promise<boolean> => {
    const answer = await fetch(`${gateway.url}/sql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${SECRET}`,
        'content-type': 'application/json',
        'neon-connection-string': proxy.url,
      },
      body: JSON.stringify({ query: 'select count(*) from marketdata.symbols', params: [] }),
    })
    return answer.status === 200
  }

  await received(ingestor, 500)
  for (let cut = 1; cut <= CUTS; cut++) {
    await received(ingestor, 500 + 100 * cut)
    proxy.cut()
    // A run that is cut fails, and the next one goes on.
    await rollUp().catch(() => undefined)
  }
  await until('the gateway answers', isServed)

  // The replica stops listening, and the primary goes on for a while before it dies.
  const at_replica = open(replica.url)
  await at_replica.query("alter system set primary_conninfo = ''")
  const primary_pool = open(primary.url)
  const { rows: senders } = await primary_pool.query<{ pid: number }>(
    'select pg_terminate_backend(pid), pid from pg_stat_replication',
  )
  expect(senders).toHaveLength(1)
  const before = await countOf(at_replica)
  await until('the primary has more than the replica', async () => {
    return (await countOf(primary_pool)) > before + 200
  })
  proxy.pointTo(undefined)
  process.kill(primary.pid, 'SIGKILL')
  await primary.exited
  await at_replica.query('select pg_promote()')
  expect(await countOf(at_replica)).toBeLessThan(before + 200)
  proxy.pointTo(replica.url)

  await received(ingestor, 500 + 100 * CUTS + 1_500)
  exchange.setFaults({ faults: [{ kind: 'silence' }] })
  await exchange.settled()
  await ingestor.drain()
  await until('the gateway answers', isServed)
  const sent = exchange
    .ledger()
    .streams.filter(({ sent_count }) => sent_count > 0)
    .map(({ stream, sent_count, id_sum_mod }) => `${stream} ${sent_count} ${id_sum_mod}`)
  const { rows } = await at_replica.query<{ line: string }>(
    `with events as (
       select lower(symbol collate "C") || '@bookTicker' as stream, update_id as id
       from marketdata.book_ticker join marketdata.symbols s on s.id = symbol_id
       union all
       select lower(symbol collate "C") || '@aggTrade', agg_trade_id
       from marketdata.trades join marketdata.symbols s on s.id = symbol_id
     )
     select concat_ws(' ', stream, count(*), sum(id % $1) % $1) as line from events group by stream`,
    [ID_MODULUS],
  )
  expect(rows.map(({ line }) => line).toSorted()).toEqual(sent.toSorted())
  const gaps = await at_replica.query('select from marketdata.gaps')
  expect(gaps.rowCount).toBe(0)

  await rollUp()
  const { rows: sums } = await at_replica.query(
    `select (select count(*)::int from marketdata.book_ticker) - sum(quote_count)::int as quotes
     from marketdata.market_data_1s`,
  )
  expect(sums).toEqual([{ quotes: 0 }])
})
