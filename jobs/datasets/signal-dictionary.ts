/** Writes docs/signals.md: the registry of signals, for readers. */
import { LOOKBACK_BARS, LOOKBACK_BARS_MIN, BINS_OF_BAR } from '#core/signals/parameters.ts'
import { type SignalDefinition, SIGNALS, SIGNALS_SET } from '#core/signals/registry.ts'
import { SIGNAL_KINDS } from '#core/signals/signal.ts'
import { code, datasetSection, row } from './feature-dictionary.ts'

export function signalDictionary(): string {
  const kinds = SIGNAL_KINDS.map((kind) => kindSection(kind, SIGNALS[kind]))
  return `${[HEAD, ...kinds, WEBHOOK, datasetSection(SIGNALS_SET)].join('\n\n')}\n`
}

const HEAD = `# Signals

Generated from core/signals/registry.ts; a test keeps it true. docs/clusters.md describes the bars.

A signal says what the footprint or the book showed. It is no advice. \`ts\` is the time when it was
known, never before, and it depends on nothing later: cutting the recording anywhere changes no
signal before the cut. \`side\` is the direction that it speaks for in the literature, so the side of
a pulled wall of bids is sell.

- **Bars** have 1 and 5 minutes and hold the trades of [ts, ts + interval). A bar's **lookback** are
  the bars that begin in the ${LOOKBACK_BARS} intervals before it. An interval without trades has no
  bar. With fewer than ${LOOKBACK_BARS_MIN} bars there is no signal.
- **Bins**: lowest price = floor(price / step) step, step = bin_ticks tick_size. \`bin_ticks\` is the
  largest of 1, 2, 5, 10, 20, 50 ... that leaves the median range (high - low) of the lookback at
  least ${BINS_OF_BAR} bins, else 1. So a bar's bin does not depend on the bar.
- **Days**: everything begins anew at 00:00 UTC, so that a day's signals are a function of the day.
  A bar that ends at midnight has the midnight as \`ts\`, and belongs to the day before.
- **Gaps**: an open gap of the ledger in the trades, both ends included, leaves the bars that it
  touches without signals, and no lookback reaches across it. A refilled gap changes nothing.
- **Exactness**: sums, products and comparisons are exact. A value is rounded once, to the nearest
  double. A median of an even number is the mean of the two in the middle.
- **id** is the first 53 bits of sha256 over JSON of [exchange, symbol, ts, kind, interval_s, bar_ts,
  side, [price_low, price_high, strength], version, details in the order of the columns below], times
  in microseconds. A rerun gives the same rows. If late trades change a bar, its signals are replaced.

The job \`signals\` keeps marketdata.signals for SIGNALS_SYMBOLS. The nightly job \`datasets\` computes
every symbol of the day from the recorded trades and depth, and finds the same rows.`

const WEBHOOK = `## Webhook

With WEBHOOK_URL and WEBHOOK_SECRET, each new signal of SIGNALS_SYMBOLS is sent there by POST:

\`\`\`
webhook-id: signal_binance-futures_BTCUSDT_806076778975577
webhook-timestamp: 1796644800
webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=

{"type":"signal.created","timestamp":"…","data":{"exchange":"binance-futures","symbol":"BTCUSDT",…}}
\`\`\`

The signature is HMAC-SHA256 of \`id.timestamp.body\` with the secret's bytes, as
[Standard Webhooks](https://www.standardwebhooks.com) has it; its libraries verify it. An event is sent
at least once, with the same \`webhook-id\` in every attempt, until the answer is 2xx. Refused events
come again after 2 s to 5 minutes, and hold up no other. While the receiver cannot be reached, one
attempt is made now and then. Redirects are not followed, an answer has 10 s, and its body is not read.
Events wait in Postgres (marketdata.webhook_deliveries): for WEBHOOK_GIVE_UP_H hours, and 100,000 at
most. Signals that are older than an hour when they are found are not sent, such as those of a first
run. A signal that late trades correct is sent again with another id; that it replaces one is not said.`

function kindSection(kind: string, of: SignalDefinition): string {
  const parameters = Object.entries(of.parameters).map(([name, value]) => `${name} ${value}`)
  const rows = [
    ['definition', of.definition],
    ['known at', of.known_at],
    ['side', of.side],
    ['prices', of.prices],
    ['strength', of.strength],
    ['details', of.details.map(code).join(', ')],
    ['parameters', parameters.join(', ')],
    ['source', of.source],
    ['none if', of.null_rule],
  ]
  const head = [row(['', '']), row(['---', '---'])]
  return [`## ${of.title}: ${code(kind)}`, '', ...head, ...rows.map(row)].join('\n')
}
