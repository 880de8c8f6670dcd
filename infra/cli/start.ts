/** `npm start`, `npx booktape start`. */
import { Command, Option } from 'commander'
import { type VenueName, VENUE_NAMES } from '../exchange/venue.ts'
import { parseFeed, parseSymbols } from '../local/feed.ts'
import { launcherOf } from '../local/launcher.ts'
import { runStart } from '../local/start.ts'
import { type ChangeFlags, withChangeOptions, withServerOptions } from './ingestor/command.ts'
import { startThere } from './ingestor/commands.ts'
import { gigabytes, wholeNumber } from './options.ts'

interface Flags extends ChangeFlags {
  readonly feed: string
  readonly exchange: VenueName
  readonly symbols?: string
  readonly portBase?: number
  readonly rate: number
  readonly indexPrices: 'socket' | 'poll' | 'off'
  readonly diskBudget: number
}

/** Options of an ingestor elsewhere; --symbols goes with both, and all others are of the stack. */
const OF_SERVER = ['server', 'token', 'json', 'dryRun', 'ifMatch']

export function startCommand(): Command {
  return withChangeOptions(withServerOptions(new Command('start')))
    .description('run the whole stack here until Ctrl-C; with --server: let that ingestor record')
    .option('--feed <feed>', 'sim, live, none, or the path of a recording to play', 'sim')
    .addOption(
      new Option('--exchange <exchange>', 'exchange to simulate (or to record with --feed live)')
        .choices(VENUE_NAMES)
        .default('binance-futures'),
    )
    .option('--symbols <list>', 'record only these symbols: A,B,C')
    .option('--data-dir <dir>', 'folder for all data', '.data')
    .option(
      '--port-base <port>',
      'use the fourteen ports from here (default: any free ports)',
      wholeNumber(1_024, 65_530),
    )
    .option(
      '--rate <events>',
      'events per second of the simulated market',
      wholeNumber(1, 100_000),
      1_000,
    )
    .addOption(
      new Option('--index-prices <how>', "Deribit's index prices: socket, poll (each minute), off")
        .choices(['socket', 'poll', 'off'])
        .default('socket'),
    )
    .option('--disk-budget <GB>', 'disk space for Postgres; 0: no limit', gigabytes, 2)
    .allowExcessArguments(false)
    .action(async (flags: Flags, command: Command) => {
      refuseMixture(flags, command)
      if (flags.server !== undefined) return startThere(flags, parseSymbols(flags.symbols))
      await runStart({
        feed: await parseFeed(flags.feed),
        exchange: flags.exchange,
        symbols: parseSymbols(flags.symbols),
        data_dir: flags.dataDir,
        port_base: flags.portBase,
        launcher: launcherOf(process.env, process.ppid),
        events_per_s: flags.rate,
        index_prices: flags.indexPrices,
        disk_budget_gb: flags.diskBudget,
      })
    })
}

function refuseMixture({ server }: Flags, command: Command): void {
  const wrong = command.options.find((option) => {
    const name = option.attributeName()
    const is_given = command.getOptionValueSource(name) === 'cli'
    return is_given && name !== 'symbols' && OF_SERVER.includes(name) !== (server !== undefined)
  })
  if (wrong === undefined) return
  const rule = server === undefined ? 'needs --server' : 'does not go with --server'
  command.error(`error: ${wrong.long} ${rule}`)
}
