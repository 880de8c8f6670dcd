/** `npx booktape status`, `streams`, `scale` and so on: the admin API of an ingestor by hand. */
import { Command, InvalidArgumentError } from 'commander'
import type { AuditEntry } from '../../../ingestor/control/audit-log.ts'
import type { ChangeAnswer } from '../../../ingestor/control/changes.ts'
import type { StatusView, StreamView } from '../../../ingestor/control/view.ts'
import { isFailing } from '../../../ingestor/status.ts'
import { wholeNumber } from '../options.ts'
import { type AdminApi, openAdminApi, type ServerFlags } from './client.ts'
import { auditText, changeText, statusText, streamsText } from './print.ts'

interface Flags extends ServerFlags {
  readonly json?: true
}

interface ChangeFlags extends Flags {
  readonly dryRun?: true
}

/** `status` of an ingestor that records nothing, though it should. */
const FAILING_EXIT_CODE = 2

export function statusCommand(): Command {
  return command('status', 'what an ingestor does now; exit 2 where it cannot record or commit')
    .action(async (flags: Flags) => {
      const status = (await openAdminApi(flags).get('/status')) as StatusView
      print(flags, status, statusText(status))
      if (status.state !== 'starting' && isFailing(status.state)) process.exitCode = FAILING_EXIT_CODE
    })
}

export function streamsCommand(): Command {
  return command('streams', 'the streams of an ingestor: heard or not, silence, holes, books')
    .option('--symbol <symbol>', 'of this symbol only')
    .option('--channel <channel>', 'of this channel only, such as trades')
    .action(async (flags: Flags & { readonly symbol?: string; readonly channel?: string }) => {
      const query = new URLSearchParams()
      if (flags.symbol !== undefined) query.set('symbol', flags.symbol)
      if (flags.channel !== undefined) query.set('channel', flags.channel)
      const answer = (await openAdminApi(flags).get(`/streams?${query}`)) as { streams: readonly StreamView[] }
      print(flags, answer, streamsText(answer.streams))
    })
}

export function auditCommand(): Command {
  return command('audit', 'who changed what an ingestor records, the newest first')
    .option('--limit <count>', 'so many changes', wholeNumber(1, 1_000), 20)
    .action(async (flags: Flags & { readonly limit: number }) => {
      const answer = (await openAdminApi(flags).get(`/audit?limit=${flags.limit}`)) as { entries: readonly AuditEntry[] }
      print(flags, answer, auditText(answer.entries))
    })
}

export function pauseCommand(): Command {
  return changeCommand('pause', 'close the sockets of an ingestor; it records nothing until `resume`')
    .action((flags: ChangeFlags) => setRecording(flags, 'paused'))
}

export function stopCommand(): Command {
  return changeCommand('stop', 'the same as `pause`')
    .action((flags: ChangeFlags) => setRecording(flags, 'paused'))
}

export function resumeCommand(): Command {
  return changeCommand('resume', 'let an ingestor record again after `pause`')
    .action((flags: ChangeFlags) => setRecording(flags, 'recording'))
}

export function scaleCommand(): Command {
  return changeCommand('scale', 'record the first N symbols, or those of the first tiers')
    .argument('<size>', 'a number of symbols, or tier:1, tier:2, tier:3', sizeArgument)
    .action((size: object, flags: ChangeFlags) =>
      change(flags, (api, query) => api.change('POST', `/scale${query}`, size)),
    )
}

export function symbolsCommand(): Command {
  const symbols = new Command('symbols').description('add and remove symbols of an ingestor')
  const put = (flags: ChangeFlags, body: unknown): Promise<void> =>
    change(flags, (api, query) => api.change('PUT', `/symbols${query}`, body))
  for (const [name, description, bodyOf] of [
    ['add', 'record these symbols as well', (add: readonly string[]) => ({ add })],
    ['remove', 'no longer record these symbols', (remove: readonly string[]) => ({ remove })],
    ['set', 'record these symbols and no others, or `all`', setBody],
  ] as const) {
    symbols.addCommand(
      changeCommand(name, description)
        .argument('<symbols...>', 'names such as BTCUSDT')
        .action((names: readonly string[], flags: ChangeFlags) => put(flags, bodyOf(names))),
    )
  }
  return symbols
}

export function channelsCommand(): Command {
  return changeCommand('channels', 'record these channels of every symbol')
    .argument('<channels...>', 'such as book_ticker trades depth_events')
    .action((channels: readonly string[], flags: ChangeFlags) =>
      change(flags, (api, query) => api.change('PUT', `/channels${query}`, { channels })),
    )
}

export function depthCommand(): Command {
  return changeCommand('depth', 'record the order books of these symbols')
    .argument('<symbols...>', 'names, all, busiest:N, tier:1, tier:2 or tier:3')
    .action((words: readonly string[], flags: ChangeFlags) =>
      change(flags, (api, query) => api.change('PUT', `/depth${query}`, { symbols: depthOf(words) })),
    )
}

function setRecording(flags: ChangeFlags, state: 'recording' | 'paused'): Promise<void> {
  return change(flags, (api, query) => api.change('POST', `/recording${query}`, { state }))
}

function command(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--server <where>', 'URL of its admin API, or path of its socket (BOOKTAPE_SERVER)')
    .option('--token <token>', 'where it is a URL (BOOKTAPE_TOKEN)')
    .option('--data-dir <dir>', 'the local stack whose ingestor is meant, where no server is named', '.data')
    .option('--json', 'print the answer of the API as it is')
    .allowExcessArguments(false)
}

function changeCommand(name: string, description: string): Command {
  return command(name, description).option('--dry-run', 'only say what it would do')
}

async function change(
  flags: ChangeFlags,
  send: (api: AdminApi, query: string) => Promise<unknown>,
): Promise<void> {
  const query = flags.dryRun === true ? '?dry_run=true' : ''
  const answer = (await send(openAdminApi(flags), query)) as ChangeAnswer
  print(flags, answer, changeText(answer))
}

function print({ json }: Flags, answer: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(answer)}\n` : text)
}

function setBody(names: readonly string[]): unknown {
  return { symbols: names.length === 1 && names[0] === 'all' ? 'all' : names }
}

function sizeArgument(text: string): object {
  const tier = tierOf(text)
  if (tier !== undefined) return { tier }
  if (/^[1-9]\d{0,3}$/.test(text)) return { count: Number(text) }
  throw new InvalidArgumentError('Expected a number of symbols such as 50, or tier:1, tier:2, tier:3.')
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

function tierOf(text: string): number | undefined {
  const tier = /^tier:([123])$/.exec(text)?.[1]
  return tier === undefined ? undefined : Number(tier)
}
