/** Runs a build in its own process, so that its memory is measured alone. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { HEAVY_ENV, HEAVY_NODE_ARGS } from '../../jobs/heavy-process.ts'
import type { BuildFigures, BuildTask } from './build.ts'
import type { DuckDbFigures, DuckDbTask } from './duckdb.ts'
import type { SameColumnsFile } from './same-columns.ts'
import type { SignalsFigures, SignalsTask } from './signals.ts'

export function buildInProcess(task: BuildTask): Promise<BuildFigures> {
  return inProcess('build.ts', task)
}

/** The signals of every symbol, without the other datasets. */
export function signalsInProcess(task: SignalsTask): Promise<SignalsFigures> {
  return inProcess('signals.ts', task)
}

/** One statement over the day's files. */
export function duckDbInProcess(task: DuckDbTask): Promise<DuckDbFigures> {
  return inProcess('duckdb.ts', task)
}

/** The same columns with the job's own code. */
export function sameColumnsInProcess(task: SameColumnsFile): Promise<DuckDbFigures> {
  return inProcess('same-columns.ts', task)
}

async function inProcess<Figures>(program: string, task: object): Promise<Figures> {
  // As the jobs daemon starts a build, so that memory is that of production.
  const options = { execArgv: HEAVY_NODE_ARGS, env: { ...process.env, ...HEAVY_ENV } }
  const child = fork(new URL(program, import.meta.url), [JSON.stringify(task)], options)
  const exited = once(child, 'exit')
  const [figures] = (await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => Promise.reject(new Error(`The build exited with code ${code}.`))),
  ])) as [Figures]
  await exited
  return figures
}
