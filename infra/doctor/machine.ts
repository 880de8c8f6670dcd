/** Limits that the machine sets: open files, and the version of Node. */
import { readFileSync } from 'node:fs'
import { lockHolder } from '../../ingestor/tape/lock.ts'
import { type Check, failure, fine, type Finding, warning } from './finding.ts'

/** Sockets, segments, connections and files that are being made: some hundreds at the most. */
const OPEN_FILES_MIN = 256
const OPEN_FILES_GOOD = 1_024
const NODE_MAJOR_MIN = 24

/** `tape_dirs`: of the running ingestors, because each process has its own limits. */
export function machineCheck(tape_dirs: readonly string[]): Check {
  return {
    check: 'machine',
    async run() {
      const holders = tape_dirs.flatMap((dir) => lockHolder(dir) ?? [])
      const processes = [
        { name: 'This process', path: 'self' },
        ...holders.map(({ pid }) => ({ name: `The ingestor (process ${pid})`, path: String(pid) })),
      ]
      return [lookAtNode(), ...processes.flatMap(({ name, path }) => lookAtOpenFiles(name, path))]
    },
  }
}

function lookAtNode(): Finding {
  const found = `This is Node ${process.versions.node}.`
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN)
    return fine('machine.node', found)
  const expected = `Node ${NODE_MAJOR_MIN}, which the programs are tested with`
  const todo =
    'Install Node 24. In a checkout on Linux, `npm ci` brings it: node_modules/.bin/node.'
  return warning('machine.node', found, { expected, todo })
}

/** No finding if the limit is unknown: only Linux has /proc. */
function lookAtOpenFiles(name: string, path: string): readonly Finding[] {
  const check = 'machine.open_files'
  const limit = openFilesLimit(path)
  if (limit === undefined) return []
  const found = `${name} may have ${limit} files open.`
  const advice = {
    expected: `at least ${OPEN_FILES_GOOD}`,
    todo: 'Raise LimitNOFILE of the systemd unit, the ulimits of the container, or `ulimit -n`.',
  }
  if (limit < OPEN_FILES_MIN) return [failure(check, found, advice)]
  return [limit < OPEN_FILES_GOOD ? warning(check, found, advice) : fine(check, found)]
}

/** Node raises its soft limit to the hard one at the start. */
function openFilesLimit(path: string): number | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${path}/limits`, 'utf8')
  } catch {
    return undefined
  }
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(text)?.[1]
  return soft === undefined || soft === 'unlimited' ? undefined : Number(soft)
}
