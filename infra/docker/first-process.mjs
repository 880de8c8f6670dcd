/**
 * Loaded before a program (--import). As process 1 of a container, a program that has no handler
 * for SIGTERM does not end: the kernel applies no default to that process. So a signal would be
 * lost while a program loads its modules, and a command that has no handler would ignore it.
 */
import { isMainThread } from 'node:worker_threads'

const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }

if (process.pid === 1 && isMainThread) {
  for (const [name, number] of Object.entries(NUMBERS)) {
    process.on(name, () => {
      // Any other listener is the program's own: it decides how to stop.
      if (process.listenerCount(name) === 1) process.exit(128 + number)
    })
  }
}
