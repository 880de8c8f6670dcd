/**
 * Live status for people and pages, as server-sent events: one snapshot serves every viewer, made
 * every SNAPSHOT_MS while there is a viewer, and at once when the actual or wanted state changes. A
 * viewer that does not read is skipped until it has; then it gets the newest.
 */
export interface EventHub {
  /** Undefined where VIEWERS_MAX watch already. */
  open(signal: AbortSignal): ReadableStream<Uint8Array> | undefined
  /** Something changed: all viewers get an event now. */
  changed(): void
  readonly viewer_count: number
  stop(): void
}

export const VIEWERS_MAX = 20
const SNAPSHOT_MS = 5_000
const LOOK_MS = 250

interface Viewer {
  /** False where what it was sent before still waits. */
  isReading(): boolean
  send(bytes: Uint8Array): void
  end(): void
}

/** `look` is called four times a second while there is a viewer, so it must be cheap. */
export function createEventHub(snapshot: () => unknown, look: () => string): EventHub {
  const viewers = new Set<Viewer>()
  const encoder = new TextEncoder()
  let event_id = 0
  let seen = ''
  let last_ms = 0
  let timer: NodeJS.Timeout | undefined

  const frame = (): Uint8Array => {
    const data = JSON.stringify(snapshot())
    return encoder.encode(`id: ${++event_id}\nevent: status\ndata: ${data}\n\n`)
  }
  const tell = (): void => {
    last_ms = performance.now()
    seen = look()
    const bytes = frame()
    for (const viewer of viewers) if (viewer.isReading()) viewer.send(bytes)
  }
  const tick = (): void => {
    if (look() !== seen || performance.now() - last_ms >= SNAPSHOT_MS) tell()
  }
  const leave = (viewer: Viewer): void => {
    viewers.delete(viewer)
    if (viewers.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
  return {
    get viewer_count() {
      return viewers.size
    },
    open(signal) {
      if (viewers.size >= VIEWERS_MAX) return undefined
      let viewer: Viewer
      return new ReadableStream<Uint8Array>(
        {
          start(controller) {
            viewer = {
              isReading: () => (controller.desiredSize ?? 0) > 0,
              send: (bytes) => controller.enqueue(bytes),
              end() {
                leave(viewer)
                try {
                  controller.close()
                } catch {
                  // The viewer has gone.
                }
              },
            }
            viewers.add(viewer)
            signal.addEventListener('abort', () => viewer.end(), { once: true })
            viewer.send(encoder.encode('retry: 3000\n\n'))
            viewer.send(frame())
            if (timer !== undefined) return
            // The others may not have seen a change that the next look finds.
            seen = look()
            last_ms = performance.now()
            timer = setInterval(tick, LOOK_MS)
          },
          cancel: () => leave(viewer),
        },
        { highWaterMark: 2 },
      )
    },
    changed() {
      if (viewers.size > 0) tell()
    },
    stop() {
      for (const viewer of viewers) viewer.end()
    },
  }
}
