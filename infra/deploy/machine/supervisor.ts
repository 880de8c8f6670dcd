/**
 * Keeps the programs running on a machine that has no systemd: a container, or the folder of a
 * test. It reads the same unit files. Commands come over a Unix socket, a JSON object a line. The
 * programs stop by themselves when the supervisor is killed, because their IPC channel closes.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Layout } from './layout.ts'
import { openLogFile } from './log-file.ts'
import { startProgram, type SupervisedProgram } from './supervised-program.ts'
import { parseUnit, unitFileName } from './unit-file.ts'

export interface Command {
  readonly do: 'start' | 'restart' | 'stop' | 'is_active' | 'enable' | 'disable'
  readonly unit: string
}

/** `code`: of an OperatorError. */
export type Answer =
  | { readonly ok: boolean }
  | { readonly code: string; readonly message: string; readonly hint?: string | undefined }

export interface Supervisor {
  /** Stops all programs. */
  stop(): Promise<void>
}

const UNIT_NAME = /^booktape-[a-z]+(@[ab])?\.service$/

/** Starts the enabled units. Errors: OperatorError supervisor_running. */
export async function startSupervisor(layout: Layout): Promise<Supervisor> {
  const programs = new Map<string, SupervisedProgram>()
  const enabled_file = join(layout.deploy, 'enabled-units.json')
  const enabled = new Set(readList(enabled_file))
  const setEnabled = (unit: string, is_enabled: boolean): void => {
    if (is_enabled) enabled.add(unit)
    else enabled.delete(unit)
    writeFileSync(`${enabled_file}.new`, JSON.stringify([...enabled].toSorted()))
    renameSync(`${enabled_file}.new`, enabled_file)
  }
  const start = async (unit: string): Promise<void> => {
    let program = programs.get(unit)
    if (program?.is_active !== true) {
      const path = join(layout.units, unitFileName(unit))
      const readUnit = () => parseUnit(readFileSync(path, 'utf8'), unit)
      program = startProgram(unit, readUnit, openLogFile(join(layout.log, `${unit}.log`)))
      programs.set(unit, program)
    }
    await program.ready
  }
  const stop = async (unit: string): Promise<void> => {
    await programs.get(unit)?.stop()
    programs.delete(unit)
  }
  const obey = async ({ do: verb, unit }: Command): Promise<boolean> => {
    if (!UNIT_NAME.test(unit)) throw new OperatorError('bad_command', `${unit} is no unit of ours.`)
    if (verb === 'is_active') return programs.get(unit)?.is_active ?? false
    if (verb === 'enable' || verb === 'disable') setEnabled(unit, verb === 'enable')
    if (verb === 'stop' || verb === 'restart') await stop(unit)
    if (verb === 'start' || verb === 'restart') await start(unit)
    return true
  }
  for (const dir of [layout.deploy, layout.state]) mkdirSync(dir, { recursive: true })
  const server = await listen(layout.supervisor_socket, (socket) => {
    socket.on('error', () => socket.destroy())
    createInterface(socket).on('line', (line) => {
      answer(line, obey).then(
        (text) => socket.end(`${JSON.stringify(text)}\n`),
        () => socket.destroy(),
      )
    })
  })
  // One that does not start says so in its log, and is tried again by nobody.
  for (const unit of enabled) start(unit).catch(() => undefined)
  return {
    async stop() {
      server.close()
      await Promise.all([...programs.keys()].map(stop))
    },
  }
}

async function answer(line: string, obey: (command: Command) => Promise<boolean>): Promise<Answer> {
  try {
    return { ok: await obey(JSON.parse(line) as Command) }
  } catch (error) {
    const { code, message, hint } =
      error instanceof OperatorError
        ? error
        : { code: 'supervisor_fault', message: describeError(error), hint: undefined }
    return { code, message, hint }
  }
}

/** A socket that a killed supervisor left is replaced; one that answers is not. */
async function listen(path: string, onSocket: (socket: Socket) => void) {
  const is_taken = await new Promise<boolean>((resolve) => {
    const probe = connect(path)
      .once('connect', () => resolve(true))
      .once('error', () => resolve(false))
      .once('close', () => probe.destroy())
    probe.once('connect', () => probe.end())
  })
  if (is_taken) {
    throw new OperatorError('supervisor_running', `A supervisor already answers at ${path}.`)
  }
  rmSync(path, { force: true })
  const server = createServer(onSocket)
  const mask = process.umask(0o077)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  } finally {
    process.umask(mask)
  }
  return server
}

function readList(path: string): readonly string[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as readonly string[]
  } catch {
    return []
  }
}
