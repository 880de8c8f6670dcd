/**
 * A great many objects for the local object store: rows in its own index, each with the content of
 * an object that is there. Putting them one by one would take minutes.
 */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** `dir` is a stopped store's; `like` is a key in it. */
export function listObjects(dir: string, keys: readonly string[], like: string): void {
  const [file, ...others] = globSync(
    join(dir, 'r2', 'miniflare-R2BucketObject', '*.sqlite'),
  ).filter((path) => !path.endsWith('metadata.sqlite'))
  if (file === undefined || others.length > 0) throw new Error(`${dir} has not one bucket.`)
  const index = new DatabaseSync(file)
  index.exec('begin')
  const insert = index.prepare(
    `insert into _mf_objects
     select ?, blob_id, version, size, etag, uploaded, checksums, http_metadata, custom_metadata
     from _mf_objects where key = ?`,
  )
  for (const key of keys) insert.run(key, like)
  index.exec('commit')
  index.close()
}
