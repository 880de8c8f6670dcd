/** Publishes a day's file and is killed (-9) at one of its writes. */
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import { describeFile } from '../../../jobs/datasets/files/describe-file.ts'
import { publishDay } from '../../../jobs/datasets/publish.ts'
import { factsOf, publishing } from './one-file.ts'

export interface PublishTask {
  readonly store_config: ObjectStoreConfig
  readonly dir: string
  readonly writes_before: number
}

const { store_config, dir, writes_before } = JSON.parse(process.argv[2]!) as PublishTask
const store = createObjectStore(store_config)
let left = writes_before
const counted = async (work: () => Promise<void>): Promise<void> => {
  // Half of the time the write has already begun.
  const done = left % 2 === 0 ? undefined : work()
  done?.catch(() => undefined)
  if (left-- === 0) process.kill(process.pid, 'SIGKILL')
  await (done ?? work())
}
const dying: ObjectStore = {
  ...store,
  put: (...args) => counted(() => store.put(...args)),
  putFile: (...args) => counted(() => store.putFile(...args)),
  delete: (...args) => counted(() => store.delete(...args)),
}
const file = await describeFile(dir, 'labels_1s.parquet', 'parquet', 1)
await publishDay(publishing(dying), dir, factsOf(file))
store.close()
