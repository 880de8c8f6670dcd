/** The local object store as a program of the stack. */
import { createLogger } from '#core/node/log.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { helperProcesses } from './helper-processes.ts'
import { startObjectStore } from './object-store.ts'

const { DIR, PORT, ACCESS_KEY_ID, SECRET_ACCESS_KEY } = process.env
const store = await startObjectStore({
  dir: DIR!,
  port: Number(PORT),
  access_key_id: ACCESS_KEY_ID!,
  secret_access_key: SECRET_ACCESS_KEY!,
})
onShutdown(createLogger('object-store'), () => store.stop())
tellParent({ type: 'ready', endpoint: store.config.endpoint, helpers: helperProcesses() })
