/**
 * Readers of the live stream in a process of their own: each hears trades and quotes of some
 * symbols. main.ts of the benchmark controls them over IPC.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { WebSocket } from 'ws'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { silentLogger } from '#core/node/log.ts'

export type ToReaders =
  | { readonly type: 'connect'; readonly live_url: string; readonly readers: readonly Symbols[] }
  | { readonly type: 'measure'; readonly seconds: number }

type Symbols = readonly string[]

/** From receipt to delivery, of one message to one reader. */
export interface Delivery {
  readonly messages_per_s: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly max_ms: number
}

export type FromReaders =
  | { readonly type: 'ready' | 'connected' }
  | ({ readonly type: 'measured' } & Delivery)

interface Reply {
  readonly type: string
  readonly seq: number
}

const DELAY_US_MAX = 600_000_000
const sockets: WebSocket[] = []
/** [us]. Not a list of millions of numbers, whose collection would hold up the readers. */
let delays: RecordableHistogram | undefined
onShutdown(silentLogger, async () => {
  for (const socket of sockets) socket.terminate()
})
const tell = (message: FromReaders): void => tellParent({ ...message })
process.on('message', (message: ToReaders) => {
  if (message.type === 'connect') void connect(message.live_url, message.readers)
  else measure(message.seconds)
})
tell({ type: 'ready' })

async function connect(live_url: string, readers: readonly Symbols[]): Promise<void> {
  const address = `${live_url.replace('http', 'ws')}/v1/live`
  await Promise.all(
    readers.map(
      (symbols) =>
        new Promise<void>((resolve, reject) => {
          let begun = 0
          const socket = new WebSocket(address, { perMessageDeflate: false })
          sockets.push(socket)
          socket.on('error', reject)
          socket.on('open', () => {
            const channel = ['trades', 'quotes']
            socket.send(JSON.stringify({ op: 'subscribe', channel, symbol: symbols }))
          })
          socket.on('message', (data: Buffer) => {
            const { type, seq } = JSON.parse(data.toString()) as Reply
            if (type === 'subscribed' && ++begun === 2 * symbols.length) resolve()
            if (type === 'rows') delays?.record(Math.max(1, Math.round(nowUs() - seq)))
          })
        }),
    ),
  )
  tell({ type: 'connected' })
}

function measure(seconds: number): void {
  const measured = createHistogram({ lowest: 1, highest: DELAY_US_MAX })
  delays = measured
  setTimeout(() => {
    delays = undefined
    const ms = (delay_us: number): number => Number((delay_us / 1_000).toFixed(1))
    tell({
      type: 'measured',
      messages_per_s: Math.round(measured.count / seconds),
      p50_ms: ms(measured.percentile(50)),
      p99_ms: ms(measured.percentile(99)),
      max_ms: ms(measured.max),
    })
  }, seconds * 1_000)
}

function nowUs(): number {
  return (performance.timeOrigin + performance.now()) * 1_000
}
