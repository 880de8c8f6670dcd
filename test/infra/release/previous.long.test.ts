/**
 * Migrations are applied while the previous build still runs. Its ingestor, jobs and gateway run
 * here on a database with every migration of this build.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startExchange } from '../../../infra/exchange/server.ts'
import { createReaderDatabase, SECRET } from '../../edge-api/support.ts'
import { takeBucket } from '../../support/bucket.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { ROOT } from '../../support/imports.ts'

/** The last commit that was released. Raise it with each release. */
const RELEASE = 'fc0d5ae21f2e3ccc8aca7a35cd15336f72f06676'

const is_known = isCommit(RELEASE)
if (!is_known) {
  process.stderr.write(
    `The previous build is not tried: this clone does not have its commit ${RELEASE.slice(0, 7)}.\n`,
  )
}

test.runIf(is_known)(
  'the previous build records, rolls up and answers on the schema of this one',
  { timeout: 300_000 },
  async () => {
    const previous = checkOut(RELEASE)
    const { url, pool, reader_url } = await createReaderDatabase()
    // The tests' server writes dates in another order, for which that build was not ready.
    await pool.query(`do $$ begin
      execute format('alter database %I set datestyle = ''ISO, MDY''', current_database());
    end $$`)
    const exchange = await startExchange({
      port: 0,
      source: { kind: 'sim', seed: 9, symbols: 3, events_per_s: 200 },
    })
    atFileEnd(() => exchange.stop())
    const { endpoint, bucket, region, access_key_id, secret_access_key } = takeBucket()

    await start(previous, 'ingestor/main.ts', {
      DATABASE_URL: url,
      INGESTOR_ID: 'previous',
      TAPE_DIR: join(previous, '.tape'),
      EXCHANGE_WS_URL: exchange.url.replace('http', 'ws'),
      EXCHANGE_REST_URL: exchange.url,
    })
    await start(previous, 'jobs/main.ts', {
      DATABASE_URL: url,
      WORK_DIR: join(previous, '.work'),
      ROLLUPS_EVERY_S: '1',
      S3_ENDPOINT: endpoint,
      S3_BUCKET: bucket,
      S3_REGION: region,
      S3_ACCESS_KEY_ID: access_key_id,
      S3_SECRET_ACCESS_KEY: secret_access_key,
    })
    const gateway = await start(previous, 'edge-api/gateway/main.ts', {
      DATABASE_URL: reader_url,
      GATEWAY_SECRET: SECRET,
      PORT: '0',
    })

    for (const table of ['book_ticker', 'trades', 'depth_events', 'bt_1s', 'trade_1s']) {
      await expect
        .poll(async () => (await pool.query(`select from marketdata.${table}`)).rowCount, {
          message: `rows of ${table}`,
        })
        .toBeGreaterThan(5)
    }
    const answer = await fetch(`${String(gateway['url'])}/sql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${SECRET}`, 'neon-connection-string': reader_url },
      body: JSON.stringify({ query: 'select count(*) from marketdata.trades', params: [] }),
    })
    expect(answer.status).toBe(200)
    const { rows } = (await answer.json()) as { readonly rows: readonly (readonly string[])[] }
    expect(Number(rows[0]![0])).toBeGreaterThan(5)
    const failed = await pool.query("select job from marketdata.job_runs where status = 'failed'")
    expect(failed.rows).toEqual([])
  },
)

function isCommit(name: string): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${name}^{commit}`], { cwd: ROOT, stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The commit's files in a folder of their own, with the packages of this build. */
function checkOut(commit: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-previous-'))
  atFileEnd(() => rmSync(dir, { recursive: true, force: true }))
  const archive = execFileSync('git', ['archive', commit], {
    cwd: ROOT,
    maxBuffer: 256 * 1024 * 1024,
  })
  execFileSync('tar', ['-x', '-C', dir], { input: archive })
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'))
  return dir
}

/** Starts a program of the folder. Returns the message by which it says that it is ready. */
async function start(
  dir: string,
  entry: string,
  env: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, unknown>>> {
  const child = spawn(process.execPath, [join(dir, entry)], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', TZ: 'UTC', ...env },
  })
  let log = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  }
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  atFileEnd(async () => {
    child.kill('SIGTERM')
    await ended
  })
  return new Promise((resolve, reject) => {
    void ended.then(() => reject(new Error(`${entry} of the previous build ended:\n${log}`)))
    child.on('message', (message) => {
      const about = message as Readonly<Record<string, unknown>>
      if (about['type'] === 'ready') resolve(about)
    })
  })
}
