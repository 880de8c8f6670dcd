/** Access in workerd: KV and rate limits as on Cloudflare, and tokens from the command line. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appendRevoked } from '../../../infra/local/revoked-tokens.ts'
import { startWorker, type LocalWorker } from '../../../infra/local/worker.ts'
import { workerBundle } from '../../support/worker-bundle.ts'
import type { RunningWorkerd } from '../../../infra/local/workerd/run.ts'
import { startWorkerd } from '../../../infra/local/workerd/start.ts'
import { runWrangler } from '../../../infra/local/wrangler.ts'
import { addSymbol, startEdge, TOKEN_SECRET } from '../support.ts'

const CLI = join(import.meta.dirname, '../../../infra/cli/main.ts')
const edge = await startEdge()
const dir = await mkdtemp(join(tmpdir(), 'booktape-access-'))
const revoked_file = join(dir, 'revoked-tokens')
let worker: LocalWorker
/** As `npm start` runs it: it reads the file of revoked tokens. */
let local: RunningWorkerd

beforeAll(async () => {
  await writeFile(join(dir, 'secrets.json'), JSON.stringify({ token_secret: TOKEN_SECRET }))
  await addSymbol(edge.pool, 'BTCUSDT')
  const common = {
    port: 0,
    bundle: await workerBundle(),
    bindings: { ...edge.bindings, PUBLIC_READ: 'false' },
  }
  worker = await startWorker({
    ...common,
    persist_dir: join(dir, 'state'),
    rate_limits: { token: 5, address: 4 },
  })
  local = await startWorkerd({ ...common, dir: join(dir, 'workerd'), revoked_file })
})
afterAll(async () => {
  await local?.stop()
  await worker?.stop()
  await rm(dir, { recursive: true })
})

async function booktape(...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const { TOKEN_SECRET: _, ...env } = process.env
  return promisify(execFile)(process.execPath, [CLI, ...args], { env })
}

async function createToken(): Promise<{ readonly text: string; readonly id: string }> {
  const args = ['token', 'create', '--scope', 'read,ops', '--days', '2', '--data-dir', dir]
  const { stdout, stderr } = await booktape(...args)
  expect(stderr).toMatch(/^Token [a-f0-9]{24}: read, ops, until \d{4}-/)
  return { text: stdout.trim(), id: stderr.split(/[ :]/)[1]! }
}

async function statusWith(
  token: string,
  path = '/v1/symbols',
  { url }: { readonly url: string } = local,
): Promise<number> {
  return (await fetch(url + path, { headers: { authorization: `Bearer ${token}` } })).status
}

test('a token from the command line works for its scopes until it is revoked', async () => {
  const { text, id } = await createToken()
  expect(await statusWith(text)).toBe(200)
  expect(await statusWith(text, '/v1/datasets/features_1s/2024-08-07')).toBe(403)
  expect((await booktape('token', 'revoke', id, '--data-dir', dir)).stdout).toContain(
    `Token ${id} is revoked`,
  )
  await expect.poll(() => statusWith(text), { interval: 1_000 }).toBe(401)
})

test('a revocation while the stack is down applies once it is up', async () => {
  const { text, id } = await createToken()
  appendRevoked(revoked_file, id)
  expect(await statusWith(text)).toBe(401)
})

test('a token whose id is in the KV namespace is refused', async () => {
  const { text, id } = await createToken()
  await worker.revokeToken(id)
  expect(await statusWith(text, '/v1/symbols', worker)).toBe(401)
})

test('the command line refuses invalid scopes, days and ids, and a folder without a secret', async () => {
  const create = ['token', 'create', '--data-dir', dir]
  for (const [args, message] of [
    [[...create, '--scope', 'write'], /read, datasets, ops/],
    [[...create, '--scope', 'read,read'], /read, datasets, ops/],
    [[...create, '--scope', 'read', '--days', '0'], /from 1 to 366/],
    [[...create, '--scope', 'read', '--days', '367'], /from 1 to 366/],
    [create, /--scope/],
    [
      ['token', 'create', '--scope', 'read', '--data-dir', join(dir, 'nothing')],
      /no secret to sign/,
    ],
    [['token', 'revoke', 'bt1.a.b', '--data-dir', dir], /not the token itself/],
    [
      ['token', 'revoke', 'a'.repeat(24), '--data-dir', join(dir, 'nothing')],
      /not the folder of a local stack/,
    ],
  ] as const) {
    await expect(booktape(...args)).rejects.toThrow(message)
  }
})

test('an address that exceeds its rate gets a 429; a token has a separate rate', async () => {
  const { text } = await createToken()
  const open = Array.from({ length: 60 }, async () => (await fetch(`${worker.url}/`)).status)
  const counts = Map.groupBy(await Promise.all(open), (status) => status)
  // The window of ten seconds may end during the loop.
  expect(counts.get(429)!.length).toBeGreaterThanOrEqual(20)
  expect(await statusWith(text, '/v1/symbols', worker)).toBe(200)
})

describe('deploying', () => {
  for (const env of ['staging', 'production'] as const) {
    test(`${env}: wrangler accepts the configuration, and the bundle is small and without an AWS SDK`, async () => {
      const out_dir = join(dir, env)
      const args = ['deploy', '--env', env, '--dry-run', '--minify', '--outdir', out_dir]
      const said = await runWrangler(args)
      for (const name of ['REVOKED_TOKENS', 'LIMIT_TOKEN', 'LIMIT_ADDRESS', 'PUBLIC_READ']) {
        expect(said).toContain(`env.${name}`)
      }
      const script = await readFile(join(out_dir, 'worker.js'))
      expect(gzipSync(script).byteLength).toBeLessThan(150 * 1024)
      expect(script.toString()).not.toMatch(/@aws-sdk|aws-sdk-js|SmithyClient/)
    })
  }

  test('revoking a token on Cloudflare puts its id into the namespace of the environment', async () => {
    const state = join(dir, 'wrangler-state')
    const id = 'b'.repeat(24)
    await booktape('token', 'revoke', id, '--env', 'production', '--persist-to', state)
    const read = [
      'kv',
      'key',
      'get',
      id,
      '--binding',
      'REVOKED_TOKENS',
      '--local',
      '--persist-to',
      state,
    ]
    expect(await runWrangler([...read, '--env', 'production'])).toContain('revoked')
    expect(await runWrangler([...read, '--env', 'staging'])).not.toContain('revoked')
  })
})
