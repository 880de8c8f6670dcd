/** Checks Postgres with one login: reachable, encrypted, and suitable for the programs. */
import { isIP, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { compareMigrations } from '#core/node/migrate.ts'
import { type Client, createPool, type Pool, withClient } from '#core/node/pool.ts'
import { requireSession } from '#core/node/session-check.ts'
import { lookAtReader, lookAtWriter } from './database-rights.ts'
import { lookAtConnections, lookAtSettings } from './database-settings.ts'
import { attempt, type Check, failure, fine, type Finding, warning } from './finding.ts'
import type { Database, Login } from './login.ts'

const CONNECT_LIMIT_MS = 5_000
const STATEMENT_LIMIT_MS = 5_000
const VERSION_MIN = 150_000
const CLOCK_GOOD_MS = 1_000
const CERTIFICATE_DAYS = 14
const NAMES_SHOWN = 3

export function databaseCheck(database: Database): Check {
  const { database_url, login } = database
  return {
    check: `database.${login}`,
    async run() {
      const pool = createPool(database_url, 'booktape-doctor', 1, CONNECT_LIMIT_MS)
      try {
        return await attempt(`database.${login}.connect`, () => lookAt(pool, database), {
          expected: 'a connection',
          todo:
            `Check DATABASE_URL of ${database.programs}, the ` +
            'firewall, and whether Postgres runs.',
        })
      } finally {
        // A connection that hangs must not keep the others waiting.
        void pool.end().catch(() => undefined)
      }
    },
  }
}

async function lookAt(pool: Pool, database: Database): Promise<readonly Finding[]> {
  const { login } = database
  const session = login === 'writer' ? await lookForPooler(pool) : []
  const rest = await withClient(pool, async (client) => {
    await client.query(`set statement_timeout = ${STATEMENT_LIMIT_MS}`)
    const look = (
      name: string,
      find: () => Promise<readonly Finding[]>,
    ): Promise<readonly Finding[]> => attempt(`database.${login}.${name}`, find, LOOK_ADVICE)
    return [
      ...(await look('version', () => lookAtVersion(client, database))),
      ...(await look('tls', async () => [lookAtTls(client, database)])),
      ...(await look('clock', () => lookAtClock(client))),
      ...(await look('migrations', () => lookAtMigrations(client, login))),
      ...(await look('settings', () => lookAtSettings(client, login))),
      ...(await look('connections', () => lookAtConnections(client, database))),
      ...(await look('rights', () =>
        login === 'writer' ? lookAtWriter(client) : lookAtReader(client),
      )),
    ]
  })
  return [...session, ...rest]
}

const LOOK_ADVICE = {
  expected: 'an answer of the catalog',
  todo: 'Let this login read the catalog of Postgres.',
}

function lookForPooler(pool: Pool): Promise<readonly Finding[]> {
  const check = 'database.writer.session'
  return attempt(
    check,
    async () => {
      await requireSession(pool)
      return [fine(check, 'Every connection has a session of Postgres of its own.')]
    },
    { expected: 'a session of its own for every connection', todo: 'Check DATABASE_URL.' },
  )
}

async function lookAtVersion(
  client: Client,
  { login, programs }: Database,
): Promise<readonly Finding[]> {
  const check = `database.${login}.version`
  const begin_ms = performance.now()
  const { rows } = await client.query<{ number: number; text: string; role: string }>(
    `select current_setting('server_version_num')::int as number,
       current_setting('server_version') as text, current_user as role`,
  )
  const { number, text, role } = rows[0]!
  const elapsed_ms = performance.now() - begin_ms
  const found = `Postgres ${text} answers ${role} after ${elapsed_ms.toFixed(1)} ms (${programs}).`
  if (number >= VERSION_MIN) return [fine(check, found)]
  const expected = `Postgres ${VERSION_MIN / 10_000} or later`
  return [
    failure(check, found, { expected, todo: 'Upgrade Postgres, and apply the migrations then.' }),
  ]
}

/** Looks at our own socket: behind a pooler, Postgres would describe the pooler's connection. */
function lookAtTls(client: Client, { login, database_url, programs }: Database): Finding {
  const check = `database.${login}.tls`
  const { stream } = (client as Client & { readonly connection: { readonly stream: Socket } })
    .connection
  if (stream instanceof TLSSocket) return lookAtCertificate(check, stream, programs)
  const { hostname } = new URL(database_url)
  const address = stream.remoteAddress ?? ''
  if (address === '' || isLoopback(address)) {
    return fine(
      check,
      `${hostname === '' ? 'The socket' : hostname} is on this machine: no TLS is needed.`,
    )
  }
  const found = `The connection to ${hostname} is not encrypted.`
  const advice = {
    expected: 'TLS: the password and every row cross the network',
    todo: `Add sslmode=verify-full (and sslrootcert=/path/ca.crt) to DATABASE_URL of ${programs}.`,
  }
  return isPrivate(address) ? warning(check, found, advice) : failure(check, found, advice)
}

function lookAtCertificate(check: string, stream: TLSSocket, programs: string): Finding {
  const protocol = stream.getProtocol() ?? 'TLS'
  if (!stream.authorized) {
    return warning(check, `${protocol}, but nobody checked who answers.`, {
      expected: 'a certificate that is verified',
      todo: `Use sslmode=verify-full with sslrootcert=/path/ca.crt in DATABASE_URL of ${programs}.`,
    })
  }
  const { valid_to } = stream.getPeerCertificate()
  const days = (Date.parse(valid_to) - Date.now()) / 86_400_000
  const found = `${protocol} with a verified certificate, valid for ${Math.floor(days)} days.`
  if (days >= CERTIFICATE_DAYS) return fine(check, found)
  const expected = `at least ${CERTIFICATE_DAYS} days`
  return warning(check, found, { expected, todo: "Renew the server's certificate." })
}

async function lookAtClock(client: Client): Promise<readonly Finding[]> {
  const check = 'clock.database'
  const begin_ms = Date.now()
  const { rows } = await client.query<{ ms: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
  )
  const ahead_ms = (begin_ms + Date.now()) / 2 - rows[0]!.ms
  const way = ahead_ms > 0 ? 'ahead of' : 'behind'
  const off_ms = Math.abs(Math.round(ahead_ms))
  const found = `This machine's clock is ${off_ms} ms ${way} that of Postgres.`
  if (Math.abs(ahead_ms) <= CLOCK_GOOD_MS) return [fine(check, found)]
  const expected = `at most ${CLOCK_GOOD_MS} ms: jobs compare the two`
  return [
    warning(check, found, {
      expected,
      todo: 'Synchronise both clocks (chrony, systemd-timesyncd).',
    }),
  ]
}

async function lookAtMigrations(client: Client, login: Login): Promise<readonly Finding[]> {
  const check = `database.${login}.migrations`
  if (login === 'reader') return []
  const { pending, changed, unknown } = await compareMigrations(client)
  const expected = "the schema of this build's sql/migrations"
  const findings: Finding[] = []
  if (pending.length > 0) {
    const found = `${pending.length} were not applied: ${shorten(pending)}.`
    findings.push(failure(check, found, { expected, todo: 'Run `npx booktape migrate`.' }))
  }
  if (changed.length > 0) {
    const todo = 'Restore the files from git; put changes into a new migration.'
    findings.push(
      failure(check, `Applied with other contents: ${shorten(changed)}.`, { expected, todo }),
    )
  }
  if (unknown.length > 0) {
    const found = `${unknown.length} are of a newer build: ${shorten(unknown)}.`
    findings.push(warning(check, found, { expected, todo: 'Run that build, or a newer one.' }))
  }
  return findings.length > 0 ? findings : [fine(check, 'The schema is that of this build.')]
}

function shorten(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN
  return names.slice(0, NAMES_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function isLoopback(address: string): boolean {
  const bare = address.replace(/^::ffff:/, '')
  return bare === '::1' || bare.startsWith('127.')
}

function isPrivate(address: string): boolean {
  const bare = address.replace(/^::ffff:/, '')
  if (isIP(bare) === 6) return /^f[cd]/i.test(bare)
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(
    bare,
  )
}
