/** The gateway without the worker: access control, and that every query can only read. */
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { get } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfig } from '../../edge-api/gateway/config.ts'
import type { Gateway } from '../../edge-api/gateway/server.ts'
import { programEnv } from '../support/program-env.ts'
import { SECRET, createReaderDatabase, startTestGateway } from './support.ts'

const { pool, url: owner_url, reader_url } = await createReaderDatabase()
let gateway: Gateway

beforeAll(async () => {
  gateway = await startTestGateway(reader_url, {
    STATEMENT_TIMEOUT_MS: '300',
    ROW_COUNT_MAX: '1000',
    RESPONSE_BYTES_MAX: '100000',
    REQUEST_BYTES_MAX: '5000',
  })
  await pool.query(
    "insert into marketdata.symbols (exchange, symbol) values ('binance-futures', 'BTCUSDT')",
  )
  // Functions that write. The reader may run them, because they are public.
  await pool.query(`
    create table public.open_to_all (x int);
    grant all on public.open_to_all to public;
    create function public.writes() returns int language plpgsql as $$
      begin insert into public.open_to_all values (1); return 1; end $$;
    create function public.escapes() returns int language plpgsql security definer as $$
      begin perform set_config('transaction_read_only', 'off', false);
        insert into public.open_to_all values (1); return 1; end $$`)
})
afterAll(() => gateway.stop())

interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: {
    readonly message?: string
    readonly code?: string
    readonly rows?: (string | null)[][]
    readonly fields?: readonly { readonly name: string; readonly dataTypeID: number }[]
  }
}

async function post(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  const response = await fetch(`${gateway.url}/sql`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${SECRET}`,
      'neon-connection-string': reader_url,
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Reply['body'],
  }
}

const sql = (query: string, params: readonly unknown[] = []) => post({ query, params })

test("values arrive in Postgres's text format, in UTC, with their types", async () => {
  const { status, body } = await sql(
    `select $1::bigint as a, $2::float8 as b, null as c, $3::boolean as d, '2024-08-08T23:54:16.313+02'::timestamptz as e`,
    ['9007199254740993', 0.1, true],
  )
  expect(status).toBe(200)
  expect(body).toMatchObject({
    command: 'SELECT',
    rowCount: 1,
    rowAsArray: true,
    rows: [['9007199254740993', '0.1', null, 't', '2024-08-08 21:54:16.313+00']],
  })
  expect(body.fields?.map((f) => [f.name, f.dataTypeID])).toEqual([
    ['a', 20],
    ['b', 701],
    ['c', 25],
    ['d', 16],
    ['e', 1184],
  ])
})

describe('access', () => {
  for (const [name, authorization] of [
    ['none', ''],
    ['another secret', 'Bearer another secret of the tests'],
    ['the secret with a suffix', `Bearer ${SECRET}x`],
    ['the secret without its scheme', SECRET],
  ] as const) {
    test(`bearer: ${name} is a 401`, async () => {
      expect((await post({ query: 'select 1' }, { authorization })).status).toBe(401)
    })
  }

  for (const [name, connection_string] of [
    ['the owner', owner_url],
    ['another database', reader_url.replace(/\/test_[^/]*$/, '/postgres')],
    ['another password', reader_url.replace(/:[^:@/]*@/, ':wrong@')],
    ['not a URL', 'reader'],
    ['an invalid escape', 'postgres://a%:b@c/d'],
  ] as const) {
    test(`connection string: ${name} is a 403`, async () => {
      const { status, body } = await post(
        { query: 'select 1' },
        { 'neon-connection-string': connection_string },
      )
      expect([status, body.rows]).toEqual([403, undefined])
    })
  }

  test('the host of the connection string does not matter', async () => {
    const elsewhere = new URL(reader_url)
    elsewhere.host = 'db.example.org:1'
    expect(
      (await post({ query: 'select 1' }, { 'neon-connection-string': elsewhere.href })).status,
    ).toBe(200)
  })
})

describe('a query can only read', () => {
  for (const statement of [
    "insert into marketdata.symbols (exchange, symbol) values ('x', 'y')",
    'update marketdata.symbols set symbol = null',
    'delete from marketdata.symbols',
    'truncate marketdata.symbols',
    'drop table marketdata.symbols',
    'create temporary table t (x int)',
    'select 1 into temporary t',
    'commit',
    'commit; insert into public.open_to_all values (1)',
    'select 1; insert into public.open_to_all values (1)',
    'select 1; commit; insert into public.open_to_all values (1)',
    'with w as (insert into public.open_to_all values (1) returning x) select * from w',
    'select public.writes()',
    'select public.escapes()',
    "select set_config('transaction_read_only', 'off', false)",
    'set transaction read write',
    'set session characteristics as transaction read write',
    'set default_transaction_read_only = off',
    'set role postgres',
    "select set_config('role', 'postgres', false)",
    'reset all',
    'copy marketdata.symbols to stdout',
    "copy public.open_to_all from program 'echo 1'",
    'do $$ begin insert into public.open_to_all values (1); end $$',
    'call x()',
    'select * from marketdata.symbols for update',
    'select * from marketdata.audit',
    "select pg_read_file('/etc/passwd')",
    "select lo_import('/etc/passwd')",
    "select lo_from_bytea(0, 'x')",
    "select pg_ls_dir('/')",
    "select nextval('marketdata.symbols_id_seq')",
    'explain analyze insert into public.open_to_all values (1)',
    'prepare p as insert into public.open_to_all values (1)',
    'declare c cursor for select 1',
    'listen x',
    "notify x, 'y'",
    'lock table marketdata.symbols',
    'vacuum',
    "with w as (delete from marketdata.symbols returning 1) select 'x' where false",
    '/* select */ insert into public.open_to_all values (1)',
    "select set_config('statement_timeout', '0', true), pg_sleep(5)",
    "select query_to_xml('insert into public.open_to_all values (1)', true, true, '')",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    'select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user',
    'select "pg_cancel_backend"(1)',
    "select pg_logical_emit_message(false, 'a', 'b')",
    'select u&"pg\\005fterminate_backend"(1)',
    "select query_to_xml('select pg_termin' || 'ate_backend(1)', true, true, '')",
    "select pg_try_advisory_lock(hashtext('booktape.job'), 1)",
    "select pg_advisory_xact_lock(hashtext('booktape.migrate'))",
    'select txid_current()',
    'select pg_current_xact_id()',
    'select pg_export_snapshot()',
    'select rolpassword from pg_authid',
    'select passwd from pg_shadow',
    '',
  ]) {
    test(`${statement || 'nothing at all'} is refused`, async () => {
      const { status, body } = await sql(statement)
      expect([status, body.rows]).toEqual([400, undefined])
    })
  }

  test('none of the above wrote anything, and no later query runs with another role or limit', async () => {
    const { rows } = await pool.query('select count(*)::int as n from public.open_to_all')
    expect(rows).toEqual([{ n: 0 }])
    await sql(
      "select set_config('statement_timeout', '0', false), set_config('search_path', 'evil', false)",
    )
    await sql('select pg_advisory_lock(42)')
    const states = await Promise.all(
      Array.from({ length: 8 }, () =>
        sql(`select current_setting('statement_timeout'), current_setting('transaction_read_only'),
               current_setting('search_path'), current_user = session_user`),
      ),
    )
    for (const { body } of states)
      expect(body.rows).toEqual([['300ms', 'on', '"$user", public', 't']])
    const locks = await pool.query(
      "select count(*)::int as n from pg_locks where locktype = 'advisory' and objid = 42",
    )
    expect(locks.rows).toEqual([{ n: 0 }])
  })
})

describe('limits', () => {
  test('a request that is too large is a 413, and its answer arrives', async () => {
    const { status, body } = await sql(`select '${'x'.repeat(50_000)}'`)
    expect([status, body.message]).toEqual([413, 'The request has more than 5000 bytes.'])
  })

  test('a statement that takes too long is cancelled, with the SQLSTATE of Postgres', async () => {
    const started = performance.now()
    const { status, body } = await sql('select pg_sleep(60)')
    expect([status, body.code]).toEqual([400, '57014'])
    expect(performance.now() - started).toBeLessThan(50_000)
  })

  test('too many rows, or rows too long, are refused; the most that is allowed is answered', async () => {
    expect((await sql('select generate_series(1, 1000)')).body.rows).toHaveLength(1_000)
    expect((await sql('select generate_series(1, 10000000)')).body.message).toContain(
      'more than 1000 rows',
    )
    expect((await sql("select repeat('x', 200000)")).body.message).toContain(
      'more than 100000 bytes',
    )
    expect((await sql('select 1')).status).toBe(200)
  })

  test('a value that is too large for this process ends only its query', async () => {
    const patient = await startTestGateway(reader_url, { STATEMENT_TIMEOUT_MS: '240000' })
    const ask = (query: string) =>
      fetch(`${patient.url}/sql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${SECRET}`, 'neon-connection-string': reader_url },
        body: JSON.stringify({ query }),
      })
    const refused = await ask("select repeat('x', 600000000)")
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('bytes')])
    expect((await ask('select 1')).status).toBe(200)
    await patient.stop()
  })

  test('many at once: up to the limit wait, the rest get a 503 with Retry-After', async () => {
    const narrow = await startTestGateway(reader_url, { CONCURRENCY_MAX: '8', POOL_MAX: '4' })
    const holder = await pool.connect()
    await holder.query('begin; lock table marketdata.symbols in access exclusive mode')
    const statuses: number[] = []
    const calls = Array.from({ length: 30 }, async () => {
      const response = await fetch(`${narrow.url}/sql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${SECRET}`, 'neon-connection-string': reader_url },
        body: '{"query":"select count(*) from marketdata.symbols"}',
      })
      if (response.status === 503) expect(response.headers.get('retry-after')).toBe('1')
      statuses.push(response.status)
    })
    await expect.poll(() => statuses.length).toBe(22)
    expect(new Set(statuses)).toEqual(new Set([503]))
    await holder.query('rollback')
    holder.release()
    await Promise.all(calls)
    expect(statuses.slice(22)).toEqual(Array.from({ length: 8 }, () => 200))
    await narrow.stop()
  })

  for (const [name, body] of [
    ['no JSON', '{"query":'],
    ['a batch', { queries: [{ query: 'select 1' }] }],
    ['an object as a parameter', { query: 'select $1', params: [{}] }],
    [
      'a hundred and one parameters',
      { query: 'select 1', params: Array.from({ length: 101 }, () => '1') },
    ],
    ['null', null],
  ] as const) {
    test(`body: ${name} is a 400`, async () => {
      expect((await post(typeof body === 'string' ? body : JSON.stringify(body))).status).toBe(400)
    })
  }

  test('a caller that disconnects while it sends the body frees its slot', async () => {
    for (let i = 0; i < 10; i++) {
      await new Promise<void>((resolve) => {
        const call = request(`${gateway.url}/sql`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${SECRET}`,
            'neon-connection-string': reader_url,
            'content-length': 1_000,
          },
        })
        call.on('error', () => resolve())
        call.on('close', () => resolve())
        call.write('{"query":', () => setTimeout(() => call.destroy(), 5))
      })
    }
    await expect.poll(async () => (await sql('select 1')).status).toBe(200)
  })
})

test('health says whether Postgres answers; other paths do not exist', async () => {
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200)
  expect((await fetch(`${gateway.url}/sql`)).status).toBe(404)
})

test('without Postgres a query and health are 503, and neither reveals the connection string', async () => {
  const nowhere = new URL(reader_url)
  nowhere.port = '1'
  const lonely = await startTestGateway(nowhere.href)
  const headers = { authorization: `Bearer ${SECRET}`, 'neon-connection-string': nowhere.href }
  const query = await fetch(`${lonely.url}/sql`, {
    method: 'POST',
    headers,
    body: '{"query":"select 1"}',
  })
  const health = await fetch(`${lonely.url}/health`)
  expect([query.status, health.status]).toEqual([503, 503])
  expect(query.headers.get('retry-after')).toBe('1')
  expect(`${await query.text()}${await health.text()}`).not.toMatch(/reader_|127\.0\.0\.1|p%40ss/)
  await lonely.stop()
})

/** A request on the connection, which stays open if the gateway lets it. Returns the head. */
async function askOn(socket: Socket): Promise<string> {
  const body = JSON.stringify({ query: 'select 1', params: [] })
  const head = [
    'POST /sql HTTP/1.1',
    'host: gateway',
    `authorization: Bearer ${SECRET}`,
    `neon-connection-string: ${reader_url}`,
    `content-length: ${body.length}`,
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  let answer = ''
  while (!answer.includes('"rows"')) answer += String((await once(socket, 'data'))[0])
  return answer.slice(0, answer.indexOf('\r\n\r\n')).toLowerCase()
}

test('while the gateway stops, requests on open connections are answered, and new ones refused', async () => {
  const leaving = await startTestGateway(reader_url)
  const port = Number(new URL(leaving.url).port)
  const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  for (const socket of sockets) expect(await askOn(socket)).toContain('connection: keep-alive')
  let is_stopped = false
  const stopped = leaving.stop(60_000).then(() => (is_stopped = true))
  await expect(fetch(`${leaving.url}/health`)).rejects.toThrow('fetch failed')
  for (const socket of sockets) {
    expect(is_stopped).toBe(false)
    const head = await askOn(socket)
    expect(head).toContain('200 ok')
    expect(head).toContain('connection: close')
  }
  // The last connection has ended: nothing waits for the rest of the grace.
  await stopped
})

test('the environment is checked as a whole, and no secret is repeated', () => {
  expect(() =>
    parseConfig({ DATABASE_URL: 'mysql://u:hidden@h/d', PORT: '70000', POOL_MAX: '0' }),
  ).toThrow(
    /PORT is '70000', but must be .*DATABASE_URL must be .*GATEWAY_SECRET is missing.*POOL_MAX is '0', but must be/,
  )
  expect(() => parseConfig({ DATABASE_URL: 'mysql://u:hidden@h/d' })).not.toThrow(/hidden/)
  const config = parseConfig({ DATABASE_URL: reader_url, GATEWAY_SECRET: SECRET })
  expect(config).toMatchObject({
    host: '127.0.0.1',
    port: 8090,
    limits: { statement_timeout_ms: 5_000 },
  })
})

// Needs openssl for a certificate. Without it this test is skipped.
test.skipIf(!existsSync('/usr/bin/openssl'))(
  'with a certificate it speaks TLS alone; with files that are none it does not start',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'booktape-tls-'))
    const [TLS_CERT_FILE, TLS_KEY_FILE] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
    const made = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
    execFileSync('openssl', ['req', ...made, '-out', TLS_CERT_FILE, '-keyout', TLS_KEY_FILE], {
      stdio: 'ignore',
    })
    const secure = await startTestGateway(reader_url, { TLS_CERT_FILE, TLS_KEY_FILE })
    expect(secure.url).toMatch(/^https:/)
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const options = { ca: readFileSync(TLS_CERT_FILE), servername: 'localhost' }
      get(
        `${secure.url}/health`,
        { ...options, checkServerIdentity: () => undefined },
        (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        },
      ).on('error', reject)
    })
    expect(status).toBe(200)
    await expect(fetch(`${secure.url.replace('https', 'http')}/health`)).rejects.toThrow(
      'fetch failed',
    )
    await secure.stop()
    const swapped = { TLS_CERT_FILE: TLS_KEY_FILE, TLS_KEY_FILE: TLS_CERT_FILE }
    await expect(startTestGateway(reader_url, swapped)).rejects.toThrow(
      /certificate cannot be used/,
    )
    await rm(dir, { recursive: true })
  },
)

test('a certificate without its key is refused', () => {
  const environment = {
    DATABASE_URL: reader_url,
    GATEWAY_SECRET: SECRET,
    TLS_CERT_FILE: 'cert.pem',
  }
  expect(() => parseConfig(environment)).toThrow(/TLS_CERT_FILE and TLS_KEY_FILE must both be set/)
})

describe('as a program', () => {
  const start = (environment: Readonly<Record<string, string>>) =>
    fork(join(import.meta.dirname, '../../edge-api/gateway/main.ts'), {
      env: programEnv(environment),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })

  test('it reports its URL to its parent, serves, and exits with 0 on SIGTERM', async () => {
    const child = start({ PORT: '0', DATABASE_URL: reader_url, GATEWAY_SECRET: SECRET })
    const [message] = (await once(child, 'message')) as [{ type: string; url: string }]
    expect(message.type).toBe('ready')
    expect((await fetch(`${message.url}/health`)).status).toBe(200)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('without its secret it exits with 1 and logs what is missing', async () => {
    const child = start({ DATABASE_URL: reader_url })
    const lines: string[] = []
    child.stdout!.on('data', (chunk: Buffer) => lines.push(chunk.toString()))
    expect((await once(child, 'close'))[0]).toBe(1)
    expect(lines.join('')).toContain('GATEWAY_SECRET is missing')
    expect(lines.join('')).not.toContain(reader_url)
  })
})

test('metrics: requests by route and status, refusals by reason, no label from a caller', async () => {
  const before = await gateway.metrics.text()
  await sql('select 1')
  await post({ query: 'select 1' }, { authorization: 'Bearer wrong' })
  await fetch(`${gateway.url}/${'x'.repeat(50)}`)
  const text = await gateway.metrics.text()
  const grew = (line: string): number => {
    const valueIn = (all: string): number =>
      Number(
        all
          .split('\n')
          .find((one) => one.startsWith(`${line} `))
          ?.slice(line.length) ?? 0,
      )
    return valueIn(text) - valueIn(before)
  }
  expect(grew('gateway_requests_total{route="POST /sql",status="200"}')).toBe(1)
  expect(grew('gateway_requests_total{route="POST /sql",status="401"}')).toBe(1)
  expect(grew('gateway_requests_total{route="other",status="404"}')).toBe(1)
  expect(grew('gateway_refused_total{reason="secret"}')).toBe(1)
  expect(grew('gateway_refused_total{reason="path"}')).toBe(1)
  expect(grew('gateway_query_seconds_count')).toBe(1)
  expect(grew('gateway_rows_total')).toBe(1)
  expect(text).not.toContain('x'.repeat(50))
})
