/**
 * Memory of the worker's isolate as V8 counts it: its heap and its external buffers. The process of
 * workerd also has Miniflare's isolates and its allocator's reserves.
 */
export interface IsolateMeter {
  /** Maximum bytes since the last call. Throws if there was no sample. */
  takePeak(): number
  close(): void
}

interface HeapUsage {
  readonly totalSize: number
  readonly backingStorageSize: number
}

const SAMPLE_MS = 20

export async function meterIsolate(
  inspector_url: string,
  worker_name: string,
): Promise<IsolateMeter> {
  const { host } = new URL(inspector_url)
  const targets = (await (await fetch(`http://${host}/json`)).json()) as readonly {
    readonly id: string
    readonly webSocketDebuggerUrl: string
  }[]
  const target = targets.find(({ id }) => id === `core:user:${worker_name}`)
  if (target === undefined) throw new Error(`The isolate of ${worker_name} was not found.`)
  const socket = new WebSocket(target.webSocketDebuggerUrl)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  let peak_bytes: number | undefined
  let id = 0
  const ask = (): void =>
    socket.send(JSON.stringify({ id: (id += 1), method: 'Runtime.getHeapUsage' }))
  socket.addEventListener('message', ({ data }) => {
    const { result } = JSON.parse(String(data)) as { readonly result?: HeapUsage }
    if (result === undefined) return
    peak_bytes = Math.max(peak_bytes ?? 0, result.totalSize + result.backingStorageSize)
    setTimeout(() => socket.readyState === WebSocket.OPEN && ask(), SAMPLE_MS)
  })
  ask()
  return {
    takePeak() {
      if (peak_bytes === undefined) throw new Error('The isolate reported no memory.')
      const taken = peak_bytes
      peak_bytes = undefined
      return taken
    },
    close: () => socket.close(),
  }
}
