/** A Postgres with TLS, over its loopback address: what the client checks is what counts. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  mkdtempSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { certificateCheck } from '../../../infra/doctor/certificate.ts'
import { databaseCheck } from '../../../infra/doctor/database.ts'
import { type Finding, runChecks } from '../../../infra/doctor/finding.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { startPostgres } from '../../../infra/local/postgres.ts'
import { atFileEnd } from '../../support/file-end.ts'

const has_openssl = spawnSync('openssl', ['version']).status === 0
const dir = mkdtempSync(join(tmpdir(), 'booktape-doctor-tls-'))
chmodSync(dir, 0o755)
atFileEnd(() => rmSync(dir, { recursive: true, force: true }))

function makeCertificate(name: string, days: number): { cert_file: string; key_file: string } {
  const cert_file = join(dir, `${name}.crt`)
  const key_file = join(dir, `${name}.key`)
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  const files = ['-keyout', key_file, '-out', cert_file]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', String(days), ...subject, ...files],
    { stdio: 'ignore' },
  )
  return { cert_file, key_file }
}

async function look(database_url: string): Promise<Finding> {
  const check = databaseCheck({
    database_url,
    login: 'writer',
    programs: 'jobs',
    connection_count: 1,
  })
  const findings = await runChecks([[check]], 600_000)
  return findings.find((finding) => finding.check.endsWith('tls')) ?? findings[0]!
}

describe.skipIf(!has_openssl)('TLS (skipped without openssl)', () => {
  test('a verified certificate is fine, one that nobody checks or that ends soon is not', async () => {
    const { cert_file, key_file } = makeCertificate('server', 30)
    const data = join(dir, 'postgres')
    const options = { dir: data, port: await freePort(), password: 'test-password' }
    const plain = await startPostgres(options)
    await plain.stop()
    // Postgres takes a key of its own user only.
    const { uid, gid } = statSync(data)
    for (const [from, to] of [
      [cert_file, 'server.crt'],
      [key_file, 'server.key'],
    ] as const) {
      copyFileSync(from, join(data, to))
      chmodSync(join(data, to), 0o600)
      chownSync(join(data, to), uid, gid)
    }
    appendFileSync(join(data, 'postgresql.conf'), 'ssl = on\n')
    const postgres = await startPostgres(options)
    atFileEnd(() => postgres.stop())
    const verified = `${postgres.url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(cert_file)}`
    expect(await look(verified)).toMatchObject({
      level: 'ok',
      found: expect.stringMatching(
        /^TLSv1\.\d with a verified certificate, valid for (29|30) days\.$/,
      ),
    })
    expect(await look(`${postgres.url}?sslmode=no-verify`)).toMatchObject({
      level: 'warning',
      todo: expect.stringContaining('verify-full'),
    })
    // An authority that the machine does not know.
    expect(await look(`${postgres.url}?sslmode=verify-full`)).toMatchObject({
      level: 'error',
      found: expect.stringContaining('sslrootcert'),
    })
    expect(await look(postgres.url)).toMatchObject({
      level: 'ok',
      found: '127.0.0.1 is on this machine: no TLS is needed.',
    })
  })

  test("the gateway's certificate: good, ending soon, and missing", async () => {
    const levels = async (tls: { cert_file: string; key_file: string }) =>
      (await runChecks([[certificateCheck(tls)]], 60_000)).map(({ level }) => level)
    expect(await levels(makeCertificate('good', 30))).toEqual(['ok'])
    expect(await levels(makeCertificate('ending', 3))).toEqual(['warning'])
    expect(
      await levels({ cert_file: join(dir, 'none.crt'), key_file: join(dir, 'none.key') }),
    ).toEqual(['error'])
  })
})
