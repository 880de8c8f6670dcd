/** Commits to the lake, and kills itself (-9) at the write that DIE_AT names. */
import { silentLogger } from '#core/node/log.ts'
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { runLake } from '../../../jobs/lake/run-lake.ts'
import { withoutConditions } from './stores.ts'

const { DATABASE_URL, STORE, DIE_AT, CONDITIONS } = process.env
/** `after 3`: right after the third write. */
const [side, nth] = DIE_AT!.split(' ')
const pool = createPool(DATABASE_URL!, 'killed', 4)
const real = createObjectStore(JSON.parse(STORE!) as ObjectStoreConfig)
const store = CONDITIONS === 'yes' ? real : withoutConditions(real)

let write_count = 0
async function counted<T>(write: () => Promise<T>): Promise<T> {
  const is_it = ++write_count === Number(nth)
  if (is_it && side === 'before') process.kill(process.pid, 'SIGKILL')
  const result = await write()
  if (is_it && side === 'after') process.kill(process.pid, 'SIGKILL')
  return result
}
const dying: ObjectStore = {
  ...store,
  put: (...args) => counted(() => store.put(...args)),
  putIfAbsent: (...args) => counted(() => store.putIfAbsent(...args)),
  delete: (...args) => counted(() => store.delete(...args)),
}
await runLake({
  pool,
  store: dying,
  datasets: { jobs: [], sets: [] },
  log: silentLogger,
  now: Date.now,
  signal: new AbortController().signal,
  which: 'new',
})
store.close()
await pool.end()
