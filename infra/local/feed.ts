/** What the local stack listens to: --feed sim|live|none|FILE. */
import { existsSync } from 'node:fs'
import { OperatorError } from '#core/errors.ts'
import { isSymbolName } from '#core/symbols.ts'
import { type RecordingSummary, summariseRecording } from './exchange/replay/recording.ts'

export type Feed =
  | { readonly kind: 'sim' }
  | { readonly kind: 'live' }
  | { readonly kind: 'none' }
  | { readonly kind: 'recording'; readonly file: string; readonly summary: RecordingSummary }

/** Reads a recording once through, so that a file that is none is refused before anything starts. */
export async function parseFeed(text: string): Promise<Feed> {
  if (text === 'sim' || text === 'live' || text === 'none') return { kind: text }
  if (!existsSync(text)) {
    throw new OperatorError('bad_feed', `--feed ${text} is not sim, live or none, and there is no such file.`, {
      hint: 'Give one of the three words, or the path of a recording (NDJSON, gzip or plain).',
    })
  }
  return { kind: 'recording', file: text, summary: await summariseRecording(text) }
}

/** `A,B,C` as exchange names; undefined where the option was not given. */
export function parseSymbols(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined
  const symbols = text.split(',').map((part) => part.trim().toUpperCase())
  const bad = symbols.filter((symbol) => !isSymbolName(symbol))
  if (bad.length > 0) {
    throw new OperatorError('bad_symbols', `--symbols has ${bad.map((name) => `"${name}"`).join(', ')}.`, {
      hint: 'Expected names such as BTCUSDT,ETHUSDT: letters, digits and _, separated by commas.',
    })
  }
  return [...new Set(symbols)]
}

/** Which of the exchange's two trade streams a recording has; aggTrade where it has both. */
export function tradeStreamOf(summary: RecordingSummary): 'aggTrade' | 'trade' {
  const classes = new Set(Object.keys(summary.streams).map((name) => name.split('@')[1]))
  return classes.has('trade') && !classes.has('aggTrade') ? 'trade' : 'aggTrade'
}
