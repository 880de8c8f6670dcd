/**
 * Says to what runs this program that it serves, is alive, and stops: to systemd (NOTIFY_SOCKET),
 * to a container's health check (HEALTH_FILE). If neither variable is set, it does nothing.
 *
 * To systemd it speaks sd_notify: READY=1 once it serves, WATCHDOG=1 while it is alive, STOPPING=1
 * when it begins to stop.
 * The messages are datagrams on a Unix socket, which Node cannot send; `systemd-notify` can, and it
 * exists wherever systemd does. A small shell starts it for each message: a fork of this process
 * would stop the event loop, the longer the larger its heap is (decision 41 has the figures). The
 * unit needs NotifyAccess=all, because a child is the sender.
 */
import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Env } from '../environment.ts'
import { createHealthFile } from './health-file.ts'
import type { Logger } from './log.ts'

export interface ServiceManager {
  /**
   * Says that the program serves, and begins to answer the watchdog. A timer of this event loop
   * sends each answer, so a loop that hangs sends none. `isAlive` is asked each time; false
   * withholds the answer too. Without an answer for WatchdogSec, systemd kills the program and
   * starts it again; a container becomes unhealthy after 30 s.
   */
  ready(isAlive?: () => boolean): void
  stopping(): void
}

/** Answers so many times as often as the watchdog demands: one may be late, or lost. */
const ANSWERS_PER_PERIOD = 3
/** Ends with this process: its input does. */
const HELPER = 'while read -r message; do systemd-notify "$message"; done'

export function connectServiceManager(env: Env, log: Logger): ServiceManager {
  const { NOTIFY_SOCKET: socket = '', HEALTH_FILE: file = '' } = env
  const managers = [
    ...(socket === '' ? [] : [connectSystemd(socket, env, log)]),
    ...(file === '' ? [] : [createHealthFile(file, log)]),
  ]
  return {
    ready(isAlive = () => true) {
      for (const manager of managers) manager.ready(isAlive)
    },
    stopping() {
      for (const manager of managers) manager.stopping()
    },
  }
}

function connectSystemd(socket: string, env: Env, log: Logger) {
  const send = createSender(socket, env['PATH'], log)
  return {
    ready(isAlive: () => boolean): void {
      send('READY=1')
      const period_ms = watchdogPeriod(env)
      if (period_ms === undefined) return
      let was_alive = true
      const answer = (): void => {
        const is_alive = isAlive()
        if (is_alive) send('WATCHDOG=1')
        else if (was_alive) {
          const facts = { code: 'not_alive', period_ms }
          log.error(facts, 'A part of this program hangs; the watchdog gets no answer.')
        }
        was_alive = is_alive
      }
      setInterval(answer, period_ms / ANSWERS_PER_PERIOD).unref()
    },
    stopping: (): void => send('STOPPING=1'),
  }
}

/** Undefined: the unit has no watchdog, or it is for another process. */
function watchdogPeriod(env: Env): number | undefined {
  const period_us = Number(env['WATCHDOG_USEC'])
  const is_for_us = (env['WATCHDOG_PID'] ?? String(process.pid)) === String(process.pid)
  return is_for_us && period_us > 0 ? period_us / 1_000 : undefined
}

function createSender(
  socket: string,
  path: string | undefined,
  log: Logger,
): (message: string) => void {
  const helper = spawn('/bin/sh', ['-c', HELPER], {
    env: { NOTIFY_SOCKET: socket, PATH: path ?? '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'pipe'],
    // A Ctrl-C in a terminal is for the program, which still has something to say.
    detached: true,
  })
  let has_failed = false
  const fail = (error: string): void => {
    if (has_failed) return
    has_failed = true
    log.warn({ code: 'notify_failed', error }, 'Notifying systemd failed.')
  }
  const { stdin, stderr } = helper
  helper.on('error', (error) => fail(error.message))
  helper.on('exit', (code, signal) => fail(`the helper ended with ${code ?? signal}`))
  stdin.on('error', (error) => fail(error.message))
  stderr.on('data', (text) => fail(String(text).trim()))
  helper.unref()
  // They are sockets; the types do not say so.
  for (const stream of [stdin, stderr]) (stream as unknown as Socket).unref()
  return (message) => {
    if (helper.exitCode === null && !stdin.destroyed) stdin.write(`${message}\n`)
  }
}
