/** An empty bucket of the run's object store. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import { BUCKET_COUNT, bucketName } from './global-store.ts'

export function takeBucket(): ObjectStoreConfig {
  const leases = inject('bucket_leases')
  for (let index = 0; index < BUCKET_COUNT; index++) {
    const bucket = bucketName(index)
    try {
      mkdirSync(join(leases, bucket))
      return { ...inject('object_store'), bucket }
    } catch (error) {
      // Another test fixture has it, perhaps in another process.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  throw new Error(`All ${BUCKET_COUNT} buckets are taken: raise BUCKET_COUNT, or restart vitest.`)
}
