/** Runs the archive job and kills itself (-9) at the point that DIE_AT names. */
import { globSync } from 'node:fs'
import { silentLogger } from '#core/node/log.ts'
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'

const { DATABASE_URL, STORE, WORK_DIR, NOW_MS, DIE_AT } = process.env
/** `before putFile 3`: right before the third upload. `spill`: while rows are gathered. */
const [side, operation, nth] = DIE_AT!.split(' ')
const pool = createPool(DATABASE_URL!, 'killed', 4)
const store = createObjectStore(JSON.parse(STORE!) as ObjectStoreConfig)

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

let call_count = 0
function deadly<Name extends 'putFile' | 'read' | 'put'>(name: Name): ObjectStore[Name] {
  const call = store[name] as (...args: readonly unknown[]) => Promise<unknown>
  const wrapped = async (...args: readonly unknown[]): Promise<unknown> => {
    const is_it = name === operation && ++call_count === Number(nth)
    if (is_it && side === 'before') die()
    const result = await call(...args)
    if (is_it && side === 'after') die()
    return result
  }
  return wrapped as ObjectStore[Name]
}

if (side === 'spill') {
  setInterval(() => {
    // Folders appear and vanish during this scan, which glob tolerates.
    if (globSync('**/*rows', { cwd: WORK_DIR! }).length > 0) die()
  }, 1)
}
await runArchive({
  pool,
  store: { ...store, putFile: deadly('putFile'), read: deadly('read'), put: deadly('put') },
  codec: 'zstd',
  work_dir: WORK_DIR!,
  log: silentLogger,
  now: () => Number(NOW_MS),
})
store.close()
await pool.end()
process.exit(0)
