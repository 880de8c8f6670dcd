/** `npx booktape status`, `streams`, `scale` and so on: the admin API of an ingestor by hand. */
import { Command, InvalidArgumentError } from 'commander'
import type { AuditEntry } from '../../../ingestor/control/audit-log.ts'
import type { ChangeAnswer } from '../../../ingestor/control/changes.ts'
import type { StatusView, StreamView } from '../../../ingestor/control/view.ts'
import { EXIT_FAILED } from '../exit-codes.ts'
import { wholeNumber } from '../options.ts'
import { openAdminApi } from './client.ts'
import {
  changeCommand,
  type ChangeFlags,
  command,
  exitCodeOfState,
  type Flags,
  print,
} from './command.ts'
import { auditText, changeText, statusText, streamsText, summaryText } from './print.ts'

export function statusCommand(): Command {
  return statusLike('status', 'what an ingestor does now', statusText)
}

export function summaryCommand(): Command {
  return statusLike('summary', 'what an ingestor does now, in a sentence', summaryText)
}

function statusLike(
  name: string,
  description: string,
  text: (status: StatusView) => string,
): Command {
  return command(name, `${description}; exit 1 where it cannot record or commit`).action(
    async (flags: Flags) => {
      const status = (await openAdminApi(flags).get('/status')) as StatusView
      print(flags, status, text(status))
      process.exitCode = exitCodeOfState(status)
    },
  )
}

export function streamsCommand(): Command {
  return command(
    'streams',
    'the streams of an ingestor: heard or not, silence, loss, books; exit 1 where there is none',
  )
    .option('--symbol <symbol>', 'of this symbol only')
    .option('--channel <channel>', 'of this channel only, such as trades')
    .action(async (flags: Flags & { readonly symbol?: string; readonly channel?: string }) => {
      const query = new URLSearchParams()
      if (flags.symbol !== undefined) query.set('symbol', flags.symbol)
      if (flags.channel !== undefined) query.set('channel', flags.channel)
      const answer = (await openAdminApi(flags).get(`/streams?${query}`)) as {
        streams: readonly StreamView[]
      }
      print(flags, answer, streamsText(answer.streams))
      if (answer.streams.length === 0) process.exitCode = EXIT_FAILED
    })
}

export function auditCommand(): Command {
  return command('audit', 'who changed what an ingestor records, the newest first')
    .option('--limit <count>', 'so many changes', wholeNumber(1, 1_000), 20)
    .action(async (flags: Flags & { readonly limit: number }) => {
      const answer = (await openAdminApi(flags).get(`/audit?limit=${flags.limit}`)) as {
        entries: readonly AuditEntry[]
      }
      print(flags, answer, auditText(answer.entries))
    })
}

export function pauseCommand(): Command {
  return changeCommand(
    'pause',
    'close the sockets of an ingestor; it records nothing until `resume`',
  ).action((flags: ChangeFlags) => setRecording(flags, 'paused'))
}

export function stopCommand(): Command {
  return changeCommand('stop', 'the same as `pause`').action((flags: ChangeFlags) =>
    setRecording(flags, 'paused'),
  )
}

export function resumeCommand(): Command {
  return changeCommand('resume', 'let an ingestor record again after `pause`').action(
    (flags: ChangeFlags) => setRecording(flags, 'recording'),
  )
}

export function scaleCommand(): Command {
  return changeCommand('scale', 'record the first N symbols, or those of the first tiers')
    .argument('<size>', 'a number of symbols, or tier:1, tier:2, tier:3', sizeArgument)
    .action((size: object, flags: ChangeFlags) => change(flags, 'POST', '/scale', size))
}

export function symbolsCommand(): Command {
  const symbols = new Command('symbols').description('add and remove symbols of an ingestor')
  const put = (flags: ChangeFlags, body: unknown): Promise<void> =>
    change(flags, 'PUT', '/symbols', body)
  for (const [name, description, bodyOf] of [
    ['add', 'record these symbols as well', (add: readonly string[]) => ({ add })],
    ['remove', 'no longer record these symbols', (remove: readonly string[]) => ({ remove })],
    ['set', 'record these symbols and no others, or `all`', setBody],
  ] as const) {
    symbols.addCommand(
      changeCommand(name, description)
        .argument('<symbols...>', 'names such as BTCUSDT ETHUSDT, or BTCUSDT,ETHUSDT', collectNames)
        .action((names: readonly string[], flags: ChangeFlags) => put(flags, bodyOf(names))),
    )
  }
  return symbols
}

export function channelsCommand(): Command {
  return changeCommand('channels', 'record these channels of every symbol')
    .argument('<channels...>', 'such as book_ticker trades depth_events', collectNames)
    .action((channels: readonly string[], flags: ChangeFlags) =>
      change(flags, 'PUT', '/channels', { channels }),
    )
}

export function depthCommand(): Command {
  return changeCommand('depth', 'record the order books of these symbols')
    .argument('<symbols...>', 'names, all, busiest:N, tier:1, tier:2 or tier:3', collectDepth)
    .action((words: readonly string[], flags: ChangeFlags) =>
      change(flags, 'PUT', '/depth', { symbols: depthOf(words) }),
    )
}

/** Chooses the symbols first, if there are any, and then starts recording. */
export async function startThere(
  flags: ChangeFlags,
  symbols: readonly string[] | undefined,
): Promise<void> {
  if (symbols !== undefined) await change(flags, 'PUT', '/symbols', setBody(symbols))
  await setRecording(flags, 'recording')
}

export function resetCommand(): Command {
  return changeCommand('reset', 'record what the environment of the ingestor says').action(
    (flags: ChangeFlags) => change(flags, 'DELETE', '/desired', {}),
  )
}

function setRecording(flags: ChangeFlags, state: 'recording' | 'paused'): Promise<void> {
  return change(flags, 'POST', '/recording', { state })
}

type Method = 'POST' | 'PUT' | 'DELETE'

async function change(
  flags: ChangeFlags,
  method: Method,
  path: string,
  body: unknown,
): Promise<void> {
  const query = flags.dryRun === true ? '?dry_run=true' : ''
  const answer = await openAdminApi(flags).change(method, path + query, body, flags.ifMatch)
  print(flags, answer, changeText(answer as ChangeAnswer))
}

function setBody(names: readonly string[]): unknown {
  return { symbols: names.length === 1 && names[0] === 'all' ? 'all' : names }
}

function sizeArgument(text: string): object {
  const tier = tierOf(text)
  if (tier !== undefined) return { tier }
  if (/^[1-9]\d{0,3}$/.test(text)) return { count: Number(text) }
  throw new InvalidArgumentError(
    'Expected a number of symbols from 1 to 9999, or tier:1, tier:2, tier:3.',
  )
}

function depthOf(words: readonly string[]): unknown {
  const [word = ''] = words
  if (words.length > 1) return words
  if (word === 'all') return 'all'
  const tier = tierOf(word)
  if (tier !== undefined) return { tier }
  const busiest = /^busiest:([1-9]\d{0,3})$/.exec(word)?.[1]
  return busiest === undefined ? words : { busiest: Number(busiest) }
}

/** A name has no colon, so a word with one is a wrong choice. */
function collectDepth(text: string, before: readonly string[] = []): readonly string[] {
  const words = collectNames(text, before)
  const is_choice = words.length === 1 && depthOf(words) !== words
  if (is_choice || !words.some((word) => word.includes(':'))) return words
  throw new InvalidArgumentError(
    'Expected names, or one of all, busiest:1 to busiest:9999, tier:1, tier:2, tier:3.',
  )
}

function tierOf(text: string): number | undefined {
  const tier = /^tier:([123])$/.exec(text)?.[1]
  return tier === undefined ? undefined : Number(tier)
}

/** Names separated by blanks, commas or both. */
function collectNames(text: string, before: readonly string[] = []): readonly string[] {
  return [
    ...before,
    ...text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  ]
}
