/** The exchange: every endpoint that the configuration uses, and its clock against ours. */
import { WebSocket } from 'ws'
import { describeError } from '#core/errors.ts'
import type { IngestorConfig } from '../../ingestor/config.ts'
import type { ExchangeAdapter } from '../../ingestor/exchanges/adapter.ts'
import { adapterFor } from '../../ingestor/exchanges/registry.ts'
import { type Check, failure, fine, type Finding, sentence, warning } from './finding.ts'

/** Requests for the time. The quickest one gives the most exact answer. */
const CLOCK_SAMPLES = 5
/** Limits on top of the measurement's uncertainty. */
const CLOCK_GOOD_MS = 50
const CLOCK_MAX_MS = 1_000
const DAY_MS = 86_400_000
/** The endpoints do not depend on it. */
const SOME_SYMBOL = 'BTCUSDT'
const ANSWER_CHARS = 100

type Where = Pick<
  IngestorConfig,
  'exchange' | 'time_unit' | 'rest_url' | 'ws_url' | 'choice' | 'symbols'
>

export function exchangeChecks(config: Where): readonly Check[] {
  const adapter = adapterFor(config.exchange, config.time_unit)
  const symbols = config.symbols === 'all' ? [SOME_SYMBOL] : config.symbols
  const groups = adapter.groups(config.ws_url, symbols, config.choice)
  const urls = [...new Set(groups.map(({ url }) => url))]
  return [
    restCheck(config.exchange, config.rest_url, adapter),
    ...urls.map((url) => socketCheck(config.exchange, url, adapter)),
  ]
}

/** Of jobs, where they ask for index prices. */
export function indexPricesCheck(rest_url: string): Check {
  return restCheck('deribit', rest_url, adapterFor('deribit'))
}

/** `exchange`: its name for people. */
function restCheck(
  exchange: string,
  rest_url: string,
  { server_time, rest_limits }: Pick<ExchangeAdapter, 'server_time' | 'rest_limits'>,
): Check {
  const check = 'exchange.rest'
  const url = rest_url.replace(/\/+$/, '') + server_time.path
  const ask = async (signal: AbortSignal): Promise<Sample | Finding> => {
    const begin_ms = performance.now()
    const response = await fetch(url, { signal, headers: rest_limits.headers ?? {} })
    const body = await response.text()
    const end_ms = performance.now()
    const is_at_ms = response.ok ? server_time.parse(body) : undefined
    if (is_at_ms === undefined) return refused(check, url, response.status, body)
    const now_ms = Date.now()
    const trip_ms = end_ms - begin_ms
    return { trip_ms, ahead_ms: now_ms - trip_ms / 2 - is_at_ms }
  }
  return {
    check,
    async run(signal) {
      const samples: Sample[] = []
      for (let i = 0; i < CLOCK_SAMPLES; i++) {
        const answer = await ask(signal).catch((error: unknown) => unreachable(check, url, error))
        if ('check' in answer) return [answer]
        samples.push(answer)
      }
      const best = samples.toSorted((a, b) => a.trip_ms - b.trip_ms)[0]!
      const found = `${exchange} answers at ${url} after ${best.trip_ms.toFixed(0)} ms.`
      return [fine(check, found), judgeClock(exchange, best, isOnThisMachine(rest_url))]
    },
  }
}

interface Sample {
  readonly trip_ms: number
  /** How far our clock is ahead of the exchange's, to within half of `trip_ms`. */
  readonly ahead_ms: number
}

function judgeClock(exchange: string, { trip_ms, ahead_ms }: Sample, is_local: boolean): Finding {
  const check = 'clock.exchange'
  if (is_local && Math.abs(ahead_ms) > DAY_MS) {
    return fine(check, `${exchange} on this machine plays a recording: its clock is of that time.`)
  }
  const off_ms = Math.max(0, Math.abs(ahead_ms) - trip_ms / 2)
  const way = ahead_ms > 0 ? 'ahead of' : 'behind'
  const distance = `${Math.abs(Math.round(ahead_ms))} ms (to within ${Math.ceil(trip_ms / 2)} ms)`
  const found = `This machine's clock is ${distance} ${way} that of ${exchange}.`
  if (off_ms <= CLOCK_GOOD_MS) return fine(check, found)
  const advice = {
    expected: `at most ${CLOCK_GOOD_MS} ms: ts_ingest is this clock, for ever`,
    todo: 'Run chrony or systemd-timesyncd, and see `timedatectl`.',
  }
  return off_ms > CLOCK_MAX_MS ? failure(check, found, advice) : warning(check, found, advice)
}

function socketCheck(
  exchange: string,
  url: string,
  { limits }: Pick<ExchangeAdapter, 'limits'>,
): Check {
  const check = 'exchange.socket'
  return {
    check,
    run: (signal) =>
      new Promise((resolve) => {
        const begin_ms = performance.now()
        const socket = new WebSocket(url, {
          perMessageDeflate: false,
          maxPayload: limits.frame_bytes_max,
        })
        const end = (finding: Finding): void => {
          resolve([finding])
          socket.terminate()
        }
        signal.addEventListener('abort', () => socket.terminate(), { once: true })
        socket.once('open', () => {
          const elapsed_ms = performance.now() - begin_ms
          end(
            fine(
              check,
              `${exchange} opens a WebSocket at ${url} after ${elapsed_ms.toFixed(0)} ms.`,
            ),
          )
        })
        socket.once('unexpected-response', (_request, response) =>
          end(refused(check, url, response.statusCode ?? 0, '')),
        )
        // Terminating a socket that is not open yet emits an error.
        socket.on('error', (error) => end(unreachable(check, url, error)))
      }),
  }
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [
    403,
    'This address is blocked, or was for some minutes: wait, ' +
      'and see whether the exchange serves this country.',
  ],
  [404, 'Check EXCHANGE_REST_URL and EXCHANGE_WS_URL: there is no such endpoint.'],
  [418, 'This address is banned for a while: stop what asks too often, and wait.'],
  [429, 'This address asks too often: lower REST_WEIGHT_PER_MINUTE of what shares it, and wait.'],
  [451, 'The exchange does not serve the country of this address: run the ingestor elsewhere.'],
])

function refused(check: string, url: string, status: number, body: string): Finding {
  const answer = body === '' ? '' : `: ${JSON.stringify(body.slice(0, ANSWER_CHARS))}`
  return failure(check, `${url} answers with status ${status}${answer}.`, {
    expected: check === 'exchange.rest' ? "the exchange's time" : 'a WebSocket',
    todo: REASONS.get(status) ?? 'Try again; if it lasts, see the status page of the exchange.',
  })
}

function unreachable(check: string, url: string, error: unknown): Finding {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return failure(check, `${url} cannot be reached: ${sentence(describeError(cause))}`, {
    expected: 'an answer',
    todo:
      'Check DNS, the firewall and the proxy of this machine, ' +
      'EXCHANGE_REST_URL and EXCHANGE_WS_URL.',
  })
}

function isOnThisMachine(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
