/**
 * Ceph with its S3 gateway, which is what Spaces run on, as the object store of a test run: one
 * monitor, one store in memory, one gateway. Needs `apt-get install ceph-mon ceph-osd radosgw`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import { freePorts } from '../../infra/local/ports.ts'
import type { LocalObjectStore } from '../../infra/local/object-store.ts'
import { ended } from './redis.ts'

const run = promisify(execFile)
const BYTES_MAX = 8 * 1024 ** 3
/** A step of the start takes a second; one that is refused waits for minutes. */
const STEP_MS_MAX = 120_000

/** `dir` is the caller's to delete. The returned config uses the first bucket. */
export async function startCeph(options: {
  readonly dir: string
  readonly access_key_id: string
  readonly secret_access_key: string
  readonly buckets: readonly [string, ...string[]]
}): Promise<LocalObjectStore> {
  const { dir, access_key_id, secret_access_key, buckets } = options
  const [mon_port, gateway_port] = (await freePorts(2)) as [number, number]
  const conf = join(dir, 'ceph.conf')
  for (const name of ['mon', 'osd', 'run']) await mkdir(join(dir, name), { recursive: true })
  await writeFile(conf, configuration(dir, mon_port))
  await writeFile(join(dir, 'keyring'), '')

  const step = async (program: string, ...args: readonly string[]): Promise<string> => {
    const { stdout } = await run(program, ['-c', conf, ...args], { timeout: STEP_MS_MAX })
    return stdout
  }
  const children: ChildProcess[] = []
  const daemon = (program: string, ...args: readonly string[]): void => {
    children.push(spawn(program, ['-c', conf, '-f', ...args], { stdio: 'ignore' }))
  }
  const stop = async (): Promise<void> => {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(children.map(ended))
  }

  try {
    const monmap = join(dir, 'monmap')
    const address = `[v2:127.0.0.1:${mon_port}]`
    await step('monmaptool', '--create', '--fsid', randomUUID(), '--addv', 'a', address, monmap)
    for (const [name, ...caps] of KEYS) {
      const pairs = caps.flatMap(([service, can]) => ['--cap', service, can])
      await step('ceph-authtool', join(dir, 'keyring'), '--gen-key', '-n', name, ...pairs)
    }
    await step('ceph-mon', '-i', 'a', '--mkfs', '--monmap', monmap)
    daemon('ceph-mon', '-i', 'a')
    const uuid = randomUUID()
    await step('ceph', 'osd', 'new', uuid)
    await step('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', uuid)
    await step('ceph', 'osd', 'crush', 'add', 'osd.0', '1.0', 'root=default', 'host=local')
    daemon('ceph-osd', '-i', '0')
    daemon(
      'radosgw',
      '-n',
      'client.rgw',
      `--rgw_frontends=beast endpoint=127.0.0.1:${gateway_port}`,
    )
    const keys = ['--access-key', access_key_id, '--secret-key', secret_access_key]
    const user = ['--uid', 'booktape', '--display-name', 'booktape', '--max-buckets', '0']
    await step('radosgw-admin', 'user', 'create', ...user, ...keys)
    const config: ObjectStoreConfig = {
      endpoint: `http://127.0.0.1:${gateway_port}`,
      bucket: buckets[0],
      region: 'default',
      access_key_id,
      secret_access_key,
    }
    await answers(config.endpoint, children)
    await createBuckets(config, buckets)
    return { config, stop }
  } catch (error) {
    await stop()
    const log = await readFile(join(dir, 'ceph.log'), 'utf8').catch(() => '')
    throw new Error(`Ceph did not start.\n${log.slice(-2_000)}`, { cause: error })
  }
}

type Key = readonly [name: string, ...caps: readonly (readonly [service: string, can: string])[]]

const KEYS: readonly Key[] = [
  ['mon.', ['mon', 'allow *']],
  ['client.admin', ['mon', 'allow *'], ['osd', 'allow *']],
  ['osd.0', ['mon', 'allow profile osd'], ['osd', 'allow *']],
  ['client.rgw', ['mon', 'allow rwx'], ['osd', 'allow rwx']],
]

/**
 * One copy of everything, in one store; few placement groups and shards, because each costs time.
 */
function configuration(dir: string, mon_port: number): string {
  return `[global]
mon_host = [v2:127.0.0.1:${mon_port}]
ms_bind_ipv6 = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = ${dir}/keyring
run_dir = ${dir}/run
admin_socket = ${dir}/run/$name.asok
pid_file = ${dir}/run/$name.pid
log_file = ${dir}/ceph.log
mon_data = ${dir}/mon
osd_data = ${dir}/osd
osd_objectstore = memstore
memstore_device_bytes = ${BYTES_MAX}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
rgw_override_bucket_index_max_shards = 1
`
}

async function answers(endpoint: string, daemons: readonly ChildProcess[]): Promise<void> {
  for (;;) {
    if (daemons.some(({ exitCode }) => exitCode !== null)) throw new Error('A daemon ended.')
    const answer = await fetch(endpoint).catch(() => undefined)
    if (answer?.ok === true) return
    await sleep(100)
  }
}

async function createBuckets(
  { endpoint, region, access_key_id, secret_access_key }: ObjectStoreConfig,
  buckets: readonly string[],
): Promise<void> {
  const credentials = { accessKeyId: access_key_id, secretAccessKey: secret_access_key }
  const s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials })
  for (const Bucket of buckets) await s3.send(new CreateBucketCommand({ Bucket }))
  s3.destroy()
}
