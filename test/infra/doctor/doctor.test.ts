/** The whole command against real services: what it says, how it ends, and what it never says. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { examine } from '../../../infra/doctor/doctor.ts'
import { programsOfEnvironment } from '../../../infra/doctor/programs.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { openTape } from '../../../ingestor/tape/writer.ts'
import { takeBucket } from '../../support/bucket.ts'
import { createTestDatabase } from '../../support/database.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { checksOf, doctor, findingOf, findingsOf } from './support.ts'

const dir = mkdtempSync(join(tmpdir(), 'booktape-doctor-'))
atFileEnd(() => rmSync(dir, { recursive: true, force: true }))

let env: Readonly<Record<string, string>> = {}
let exchange: ExchangeServer
let database_url = ''

async function startSimulator(clock?: () => number): Promise<ExchangeServer> {
  const server = await startExchange({
    port: 0,
    source: {
      kind: 'sim',
      seed: 7,
      symbols: 2,
      events_per_s: 10,
      ...(clock === undefined ? {} : { clock }),
    },
  })
  atFileEnd(() => server.stop())
  return server
}

const exchangeEnv = ({ url, ws_url }: ExchangeServer) => ({
  EXCHANGE_REST_URL: url,
  EXCHANGE_WS_URL: ws_url,
})

beforeAll(async () => {
  exchange = await startSimulator()
  const database = await createTestDatabase()
  database_url = database.url
  const store = takeBucket()
  env = {
    DATABASE_URL: database_url,
    TAPE_DIR: join(dir, 'tape'),
    WORK_DIR: join(dir, 'work'),
    S3_ENDPOINT: store.endpoint,
    S3_BUCKET: store.bucket,
    S3_REGION: store.region,
    S3_ACCESS_KEY_ID: store.access_key_id,
    S3_SECRET_ACCESS_KEY: store.secret_access_key,
    GATEWAY_SECRET: 'a-secret-of-the-gateway',
    ...exchangeEnv(exchange),
  }
})

/** Only of one program. */
async function lookAt(program: string, changed: Readonly<Record<string, string>>) {
  return findingsOf(await doctor(['--program', program, '--json'], { ...env, ...changed }))
}

test('all programs: every part is looked at, and the report has the same as the JSON', async () => {
  const answer = await doctor(['--json'], env)
  const findings = findingsOf(answer)
  const parts = new Set(findings.map(({ check }) => check.split('.')[0]))
  expect([...parts].toSorted()).toEqual([
    'clock',
    'database',
    'environment',
    'exchange',
    'machine',
    'store',
    'tape',
    'work_dir',
  ])
  // The server of the tests may lose data.
  const wrong = findings.filter(({ level }) => level === 'error').map(({ found }) => found)
  expect(wrong).toEqual(['fsync is off.', 'full_page_writes is off.'])
  expect(answer.code).toBe(1)
  expect(JSON.parse(answer.stdout)).toMatchObject({ level: 'error' })
  const { stdout, code } = await doctor([], env)
  expect(code).toBe(1)
  expect(stdout).toMatch(
    /error +database\.writer\.settings +fsync is off\.\n +expected: on: .*\n +to do: Set it in/,
  )
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^\d+ ok, warnings: \d+, errors: 2\.$/)
})

test('an environment that a program refuses: all its problems are told, its secrets never', async () => {
  const secret = 'a-password-of-mine'
  const bad = {
    ...env,
    DATABASE_URL: `postgres://postgres:${secret}@127.0.0.1:1/none`,
    TIER: '9',
    SHARD: '4/3',
    GATEWAY_SECRET: 'short',
    S3_SECRET_ACCESS_KEY: 'not-the-secret-of-the-store',
  }
  const answer = await doctor([], bad)
  expect(answer.code).toBe(1)
  expect(answer.stdout).toMatch(
    /error +environment\.ingestor .*SHARD .*must be i\/n.*TIER is '9', but must be 1, 2 or 3/,
  )
  expect(answer.stdout).toMatch(
    /error +environment\.gateway .*GATEWAY_SECRET must have at least 16/,
  )
  expect(answer.stdout).toMatch(/ok +environment\.jobs/)
  expect(answer.stdout).toMatch(/error +store\.put/)
  expect(answer.stdout).toMatch(/error +database\.writer\.connect .*ECONNREFUSED/)
  for (const text of [secret, 'not-the-secret-of-the-store', 'short\n']) {
    expect(answer.stdout + answer.stderr).not.toContain(text)
  }
})

test('the live server: its tapes, its login, and the archive', async () => {
  const tape_dir = join(dir, 'followed')
  const live = { LIVE_PUBLIC: 'true', LIVE_TAPES: `one=${tape_dir}` }
  const missing = await lookAt('live', live)
  expect(findingOf(missing, 'live.tape')).toMatchObject({ level: 'warning' })
  await openTape({
    dir: tape_dir,
    max_bytes: 64 * 1024 * 1024,
    segment_bytes: 1024 * 1024,
    record_bytes_max: 1024,
    keep_s: 0,
    log: silentLogger,
  }).close()
  expect(checksOf(await lookAt('live', live), 'ok')).toEqual(
    expect.arrayContaining(['environment.live', 'live.tape', 'live.database', 'live.archive']),
  )
  const store = Object.keys(env).filter((name) => name.startsWith('S3_'))
  const unset = Object.fromEntries(store.map((name) => [name, '']))
  const without = await lookAt('live', { ...live, ...unset })
  expect(checksOf(without, 'warning')).toContain('live.archive')
  const unreachable = { ...live, DATABASE_URL: 'postgres://postgres@127.0.0.1:1/none' }
  expect(checksOf(await lookAt('live', unreachable), 'error')).toEqual(['live.database'])
  expect(checksOf(await lookAt('live', { LIVE_TAPES: 'one=' }), 'error')).toEqual([
    'environment.live',
  ])
})

test('variables come from a file too, and a file that is not there is told', async () => {
  const file = join(dir, 'ingestor.env')
  writeFileSync(
    file,
    Object.entries(env)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  const answer = await doctor(['--program', 'ingestor', '--settings', file, '--json'], {})
  expect(checksOf(findingsOf(answer), 'ok')).toContain('environment.ingestor')
  const missing = await doctor(['--settings', join(dir, 'none.env')], {})
  expect(missing).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('none.env cannot be read'),
  })
  const nothing = await doctor(['--data-dir', join(dir, 'no-stack')], {})
  expect(nothing).toMatchObject({ code: 3, stderr: expect.stringContaining('No stack is running') })
})

test('clock: a minute and a half apart from the exchange is an error', async () => {
  const late = await startSimulator(() => performance.timeOrigin + performance.now() - 90_000)
  const finding = findingOf(await lookAt('ingestor', exchangeEnv(late)), 'clock.exchange')
  expect(finding.level).toBe('error')
  const off_ms = Number(
    /clock is (\d+) ms .* ahead of that of binance-futures/.exec(finding.found)?.[1],
  )
  expect(off_ms).toBeGreaterThan(80_000)
  expect(off_ms).toBeLessThan(120_000)
  expect(finding.todo).toContain('chrony')
})

test('exchange: refused over REST, at the handshake, and not there; each route is named', async () => {
  const other = await startSimulator()
  other.setFaults({
    faults: [
      { kind: 'http_status', target: 'rest', status: 418 },
      { kind: 'http_status', target: 'handshake', status: 429 },
    ],
  })
  const banned = await lookAt('ingestor', exchangeEnv(other))
  expect(findingOf(banned, 'exchange.rest')).toMatchObject({
    level: 'error',
    found: expect.stringContaining(`${other.url}/fapi/v1/time answers with status 418`),
    todo: expect.stringContaining('banned'),
  })
  const sockets = banned.filter(({ check }) => check === 'exchange.socket')
  expect(sockets.map(({ level, found }) => [level, found])).toEqual([
    ['error', `${other.ws_url}/public/stream answers with status 429.`],
    ['error', `${other.ws_url}/market/stream answers with status 429.`],
  ])
  other.setFaults({ faults: [{ kind: 'refuse' }] })
  const cut = await lookAt('ingestor', exchangeEnv(other))
  expect(checksOf(cut, 'ok')).toContain('exchange.rest')
  expect(
    cut.filter(({ check, level }) => check === 'exchange.socket' && level === 'error'),
  ).toHaveLength(2)
  const port = await freePort()
  const gone = await lookAt('ingestor', {
    EXCHANGE_REST_URL: `http://127.0.0.1:${port}`,
    EXCHANGE_WS_URL: `ws://127.0.0.1:${port}`,
  })
  expect(findingOf(gone, 'exchange.rest').found).toContain('ECONNREFUSED')
})

for (const exchange_name of ['deribit', 'bybit-linear'] as const) {
  test(`exchange: ${exchange_name} tells its time and opens its socket`, async () => {
    const ok = checksOf(await lookAt('ingestor', { EXCHANGE: exchange_name }), 'ok')
    expect(ok.filter((check) => /^(exchange|clock\.exchange)/.test(check))).toEqual([
      'exchange.rest',
      'clock.exchange',
      'exchange.socket',
    ])
  })
}

/** A file system in memory of so many bytes, in a mount namespace of the command's own. */
const inMemory = (mount_point: string, bytes: number): readonly string[] => [
  'unshare',
  '-Urm',
  'sh',
  '-c',
  `mount -t tmpfs -o size=${bytes} none "$0" && exec "$@"`,
  mount_point,
]
const may_mount =
  spawnSync('unshare', ['-Urm', 'sh', '-c', 'mount -t tmpfs none /tmp']).status === 0

describe.skipIf(!may_mount)('disks (skipped where nobody may mount)', () => {
  test('a tape on a disk of 4 MiB in memory: too small, and gone with the machine', async () => {
    const TAPE_DIR = join(dir, 'small')
    mkdirSync(TAPE_DIR)
    const through = inMemory(TAPE_DIR, 4 * 1024 ** 2)
    const findings = findingsOf(
      await doctor(['--program', 'ingestor', '--json'], { ...env, TAPE_DIR }, through),
    )
    expect(findingOf(findings, 'tape.room')).toMatchObject({
      level: 'error',
      found: expect.stringMatching(/^4\.0 MiB free/),
    })
    expect(findingOf(findings, 'tape.file_system').found).toBe(`${TAPE_DIR} is in memory.`)
    expect(checksOf(findings, 'ok')).toContain('tape.fsync')
  })

  test('a full disk: the write that was tried is told, and nothing stays behind', async () => {
    const TAPE_DIR = join(dir, 'full')
    mkdirSync(TAPE_DIR)
    const through = inMemory(TAPE_DIR, 64 * 1024)
    const findings = findingsOf(
      await doctor(['--program', 'ingestor', '--json'], { ...env, TAPE_DIR }, through),
    )
    expect(checksOf(findings, 'error')).toEqual(expect.arrayContaining(['tape.room', 'tape.fsync']))
    expect(findingOf(findings, 'tape.fsync').found).toMatch(
      /^The disk took \d+ of 1048576 bytes\.$|ENOSPC/,
    )
  })
})

test('a tape that may outgrow its disk is a warning; what doctor wrote is gone', async () => {
  const TAPE_MAX_BYTES = String(2 ** 52)
  const findings = await lookAt('ingestor', { TAPE_DIR: dir, TAPE_MAX_BYTES })
  expect(findingOf(findings, 'tape.room')).toMatchObject({
    level: 'warning',
    todo: expect.stringContaining('TAPE_MAX_BYTES'),
  })
  expect(readdirSync(dir).filter((name) => name.startsWith('.doctor'))).toEqual([])
})

test('few open files: the limit is named, and whose it is', async () => {
  const through = ['sh', '-c', 'ulimit -n 200 && exec "$@"', 'sh']
  const answer = await doctor(['--program', 'ingestor', '--json'], env, through)
  expect(findingOf(findingsOf(answer), 'machine.open_files')).toMatchObject({
    level: 'error',
    found: 'This process may have 200 files open.',
  })
})

test('services that take connections and never answer: each check ends by itself', async () => {
  const silent = createServer()
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  atFileEnd(() => silent.close())
  const host = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const mute = {
    ...env,
    DATABASE_URL: `postgres://postgres:secret-password@${host}/none`,
    S3_ENDPOINT: `http://${host}`,
    EXCHANGE_REST_URL: `http://${host}`,
    EXCHANGE_WS_URL: `ws://${host}`,
  }
  const findings = await examine(programsOfEnvironment(['ingestor', 'jobs'], mute, []), 1_000)
  const late = findings
    .filter(({ found }) => found === 'There was no answer.')
    .map(({ check }) => check)
  expect(late).toEqual([
    'exchange.rest',
    'exchange.socket',
    'exchange.socket',
    'database.writer',
    'store',
  ])
})
