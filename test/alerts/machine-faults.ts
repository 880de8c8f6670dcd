/** Faults of the machine: its disk and its clock. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fault } from './fault.ts'
import { FAKETIME, FAKETIME_PACKAGE } from './faketime.ts'

const DISK_BYTES = 16 << 20
const CAP_SYS_ADMIN = 21n

export const MACHINE_FAULTS: readonly Fault[] = [
  {
    name: 'a disk is nearly full',
    alerts: { MachineDiskNearlyFull: 0 },
    lacks: () => (mayMount() ? undefined : 'the right to mount a small disk'),
    async inject(stack) {
      const disk = join(stack.dir, 'small-disk')
      mkdirSync(disk)
      run('mount', '-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0755`, 'tmpfs', disk)
      const unmount = (): void => run('umount', disk)
      process.once('exit', unmount)
      writeFileSync(join(disk, 'file'), Buffer.alloc(0.97 * DISK_BYTES))
      return () => {
        process.off('exit', unmount)
        unmount()
      }
    },
  },
  {
    name: 'the clock of an ingestor is set a second ahead',
    alerts: { IngestorClockStepped: 1 },
    lacks: () => (FAKETIME === undefined ? `the package ${FAKETIME_PACKAGE}` : undefined),
    async inject({ small }) {
      small.setClock('+1s')
      return () => small.setClock('+0s')
    },
  },
]

function mayMount(): boolean {
  const [, capabilities = '0'] =
    /^CapEff:\s+(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return ((BigInt(`0x${capabilities}`) >> CAP_SYS_ADMIN) & 1n) === 1n
}

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}
