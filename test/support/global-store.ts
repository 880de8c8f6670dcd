/**
 * One object store for the whole test run, because workerd and Miniflare take two seconds of CPU to
 * start. Every test fixture has its own bucket (test/support/bucket.ts). TEST_OBJECT_STORE=ceph
 * takes Ceph's gateway in its place.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import { startObjectStore } from '../../infra/local/object-store.ts'
import { startCeph } from './ceph.ts'

declare module 'vitest' {
  interface ProvidedContext {
    object_store: ObjectStoreConfig
    /** A folder here with a bucket's name marks the bucket as taken. */
    bucket_leases: string
  }
}

/** More than a run needs. */
export const BUCKET_COUNT = 300

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-test-store-'))
  const leases = join(dir, 'leases')
  mkdirSync(leases)
  const options = {
    dir: join(dir, 'store'),
    access_key_id: 'key',
    secret_access_key: 'secret',
    buckets: [
      bucketName(0),
      ...Array.from({ length: BUCKET_COUNT - 1 }, (_, i) => bucketName(i + 1)),
    ] as const,
  }
  const server = await (process.env['TEST_OBJECT_STORE'] === 'ceph'
    ? startCeph(options)
    : startObjectStore({ ...options, port: 0 }))
  project.provide('object_store', server.config)
  project.provide('bucket_leases', leases)
  return async () => {
    await server.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

export function bucketName(index: number): string {
  return `test-${index}`
}
