/** `npx booktape monitor`: an ingestor's status as it changes, on a terminal or as lines. */
import type { Command } from 'commander'
import { OperatorError } from '#core/errors.ts'
import type { StatusView } from '../../../ingestor/control/view.ts'
import { wholeNumber } from '../options.ts'
import { openAdminApi } from './client.ts'
import { command, exitCodeOfState, type Flags } from './command.ts'
import { statusText, watchLine } from './print.ts'
import { watchStatus, type Watcher } from './watch.ts'

interface MonitorFlags extends Flags {
  readonly duration?: number
}

const DAY_S = 86_400
const COLUMNS_DEFAULT = 80
const HOME = '\u001B[H'
const CLEAR_LINE = '\u001B[K'
const CLEAR_BELOW = '\u001B[J'
const CLEAR_ALL = '\u001B[2J'

export function monitorCommand(): Command {
  return command('monitor', 'watch an ingestor: a view on a terminal, a line a change elsewhere')
    .option('--duration <seconds>', 'end after so long, not only at Ctrl-C', wholeNumber(1, DAY_S))
    .addHelpText(
      'after',
      'It is that of the last status; 3 also if the ingestor was unreachable at the end.',
    )
    .action(monitor)
}

async function monitor(flags: MonitorFlags): Promise<void> {
  const ending = new AbortController()
  const end = (): void => ending.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  // It also ends when the reader closes the pipe, as `| head` does.
  process.stdout.on('error', end)
  const timer = flags.duration === undefined ? undefined : setTimeout(end, flags.duration * 1_000)
  const view = viewOf(flags)
  let last: StatusView | undefined
  const watcher: Watcher = {
    onLost: view.onLost,
    onStatus(status) {
      last = status
      view.onStatus(status)
    },
  }
  try {
    const is_connected = await watchStatus(openAdminApi(flags), watcher, ending.signal)
    if (!is_connected) throw gone()
    if (last !== undefined) process.exitCode = exitCodeOfState(last)
  } finally {
    clearTimeout(timer)
    process.off('SIGINT', end).off('SIGTERM', end)
  }
}

function viewOf({ json }: Flags): Watcher {
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const onLost = (reason: string): void => void process.stderr.write(`Disconnected. ${reason}\n`)
  if (json === true) return { onStatus: (status) => say(JSON.stringify(status)), onLost }
  if (process.stdout.isTTY) return screen(process.stdout)
  return { onStatus: (status) => say(watchLine(status)), onLost }
}

/** Overwrites the old lines, so that the screen does not flicker. */
function screen(out: NodeJS.WriteStream): Watcher {
  let before = CLEAR_ALL
  let newest = ''
  const draw = (last_line: string): void => {
    const width = out.columns || COLUMNS_DEFAULT
    const lines = [...newest.trimEnd().split('\n'), '', last_line]
    const text = lines.map((line) => `${line.slice(0, width)}${CLEAR_LINE}\n`).join('')
    out.write(`${before}${HOME}${text}${CLEAR_BELOW}`)
    before = ''
  }
  return {
    onStatus(status) {
      newest = statusText(status)
      draw(`${status.clock.now}  Ctrl-C ends this view; the ingestor keeps running.`)
    },
    onLost: (reason) => draw(`Disconnected; trying again. ${reason}`),
  }
}

function gone(): OperatorError {
  const hint = 'See whether it runs.'
  return new OperatorError('ingestor_unreachable', 'The ingestor was unreachable at the end.', {
    hint,
  })
}
