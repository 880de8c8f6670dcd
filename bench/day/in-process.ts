/** Runs a build in its own process, so that its memory is measured alone. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { BuildFigures, BuildTask } from './build.ts'

export async function buildInProcess(task: BuildTask): Promise<BuildFigures> {
  const child = fork(new URL('build.ts', import.meta.url), [JSON.stringify(task)])
  const exited = once(child, 'exit')
  const [figures] = (await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => Promise.reject(new Error(`The build exited with code ${code}.`))),
  ])) as [BuildFigures]
  await exited
  return figures
}
