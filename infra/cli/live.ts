/** `npx booktape live trades BTCUSDT`: the live stream on a terminal, or as JSON lines. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { INTERVALS } from '#core/clusters/intervals.ts'
import { OperatorError } from '#core/errors.ts'
import { type LiveChannel, LiveError, openLive } from '../../edge-api/client/live.ts'
import { LIVE_CHANNELS } from '../../ingestor/live/channels.ts'
import { readStackFile } from '../local/data-dir.ts'
import { liveLines } from './live-print.ts'
import { listOf, wholeNumber } from './options.ts'

interface Flags {
  readonly url?: string
  readonly token?: string
  readonly dataDir: string
  readonly exchange?: string
  readonly interval?: string
  readonly bin?: number | 'auto'
  readonly threshold?: number
  readonly json?: true
}

export function liveCommand(): Command {
  return new Command('live')
    .description('follow the live stream until Ctrl-C, without gaps across reconnections')
    .argument('<channels>', `comma list of ${LIVE_CHANNELS.join(', ')}`, listOf(LIVE_CHANNELS))
    .argument('<symbols>', 'comma list, such as BTCUSDT,ETHUSDT', (text: string) =>
      text.split(',').filter((part) => part !== ''),
    )
    .option('--url <url>', 'edge API or live server (default: that of the stack in --data-dir)')
    .option('--token <token>', 'access token with the scope live (default: BOOKTAPE_TOKEN)')
    .option('--data-dir <dir>', 'folder of a running stack', '.data')
    .option('--exchange <exchange>', 'if several list the symbol')
    .addOption(new Option('--interval <interval>', 'of clusters').choices(INTERVALS))
    .option('--bin <ticks>', 'of clusters: ticks of a bin, or auto', binOf)
    .option(
      '--threshold <qty>',
      'of clusters: print a bar when more was traded since it was printed last',
      quantityOf,
    )
    .option('--json', 'print each message as one line of JSON')
    .allowExcessArguments(false)
    .action(follow)
}

const binOf = (text: string): number | 'auto' =>
  text === 'auto' ? text : wholeNumber(1, 1_000_000)(text)

function quantityOf(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text)) return value
  throw new InvalidArgumentError('Expected a quantity of the base asset, such as 2.5.')
}

async function follow(
  channels: readonly LiveChannel[],
  symbols: readonly string[],
  flags: Flags,
): Promise<void> {
  const ending = new AbortController()
  const end = (): void => ending.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  // A reader that goes away, as in `| head`, ends it too.
  process.stdout.on('error', end)
  const token = flags.token ?? process.env['BOOKTAPE_TOKEN']
  const stream = openLive({
    url: flags.url ?? urlOfStack(flags.dataDir),
    channels,
    symbols,
    signal: ending.signal,
    ...(token === undefined ? {} : { token }),
    ...(flags.exchange === undefined ? {} : { exchange: flags.exchange }),
    clusters: {
      ...(flags.interval === undefined ? {} : { interval: flags.interval }),
      ...(flags.bin === undefined ? {} : { bin: flags.bin }),
      ...(flags.threshold === undefined ? {} : { threshold: flags.threshold }),
    },
    onConnection: (is_open) => {
      if (!is_open) process.stderr.write('Disconnected. Connecting again ...\n')
    },
  })
  try {
    for await (const message of stream) {
      const lines = flags.json === true ? [JSON.stringify(message)] : liveLines(message)
      for (const line of lines) await print(`${line}\n`)
    }
  } catch (error) {
    if (error instanceof LiveError) throw new OperatorError(error.code, error.message)
    throw error
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end)
  }
}

/** Waits for a slow reader. The client continues later without a gap. */
async function print(text: string): Promise<void> {
  if (process.stdout.write(text) || process.stdout.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = (): void => resolve()
  process.stdout.once('drain', done).once('close', done)
  await promise
  process.stdout.off('drain', done).off('close', done)
}

function urlOfStack(data_dir: string): string {
  const { live_url } = readStackFile(data_dir)
  if (live_url !== null) return live_url
  throw new OperatorError(
    'no_live_server',
    'This stack records nothing, so it has no live stream.',
    {
      hint: 'Start it with a feed.',
    },
  )
}
