/** Faults between the exchange and an ingestor. */
import { exchange, type Fault } from './fault.ts'

export const FEED_FAULTS: readonly Fault[] = [
  {
    name: 'the exchange refuses sockets',
    alerts: { IngestorStreamsLost: 15, IngestorFeedSilent: 30 },
    inject: exchange([{ kind: 'refuse' }], [{ kind: 'close_all' }]),
  },
  {
    name: 'frames are corrupt',
    alerts: { IngestorFramesRejected: 0, IngestorGaps: 0 },
    inject: exchange([{ kind: 'corrupt', probability: 0.02 }]),
  },
  {
    name: 'depth is lost and snapshots are refused',
    alerts: { IngestorBooksLost: 15 },
    inject: exchange([
      { kind: 'drop', streams: '*@depth*', probability: 0.2 },
      { kind: 'http_status', target: 'rest', status: 503 },
    ]),
  },
  {
    name: 'the network delays frames by four seconds',
    alerts: { IngestorClockOff: 5 },
    async inject({ small: { network } }) {
      network.setDelay(4_000)
      return () => network.setDelay(0)
    },
  },
  {
    name: 'the exchange refuses a stream',
    alerts: { IngestorStreamsRefused: 5 },
    async inject(stack) {
      const actions = [{ kind: 'close_all' }]
      await stack.exchange({
        faults: [{ kind: 'refuse_streams', streams: 'btcusdt@bookTicker' }],
        actions,
      })
      // Within a minute or two it is asked for again.
      return () => stack.exchange({ faults: [] })
    },
  },
  {
    name: 'an operator pauses the recording',
    alerts: { IngestorPaused: 0 },
    async inject(stack) {
      stack.booktape('pause')
      return () => stack.booktape('resume')
    },
  },
]
