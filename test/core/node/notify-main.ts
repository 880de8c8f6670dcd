/** A program under a service manager; its parent tells it to hang, whole or in part. */
import { createLogger } from '#core/node/log.ts'
import { connectServiceManager } from '#core/node/service-manager.ts'

const manager = connectServiceManager(process.env, createLogger('notify'))
let is_alive = true
process.on('message', (word) => {
  if (word === 'ready') manager.ready(() => is_alive)
  if (word === 'part hangs') is_alive = false
  if (word === 'part goes on') is_alive = true
  if (word === 'stop') {
    manager.stopping()
    process.disconnect()
  }
  if (word === 'hang') for (;;) is_alive = true
})
