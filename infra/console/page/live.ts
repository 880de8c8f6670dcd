/**
 * The live status: server-sent events over fetch, because EventSource cannot send a token. It
 * reconnects by itself, and reports since when the shown data is stale.
 */
import { useEffect, useState } from 'preact/hooks'
import type { HistoryPoint, Snapshot } from '../wire.ts'
import { ask, headers, Refusal } from './api.ts'

export interface Live {
  readonly snapshot: Snapshot | undefined
  readonly points: readonly HistoryPoint[]
  /** Arrival of the newest status; undefined before the first. */
  readonly heard_ms: number | undefined
  readonly is_connected: boolean
  /** True if the server requires a token, or refuses this one. */
  readonly needs_token: boolean
  readonly error: string | undefined
}

/** The server sends a status at least every 5 s; after this time it counts as late. */
const SILENT_MS = 12_000
const RETRY_MS = [500, 1_000, 2_000, 4_000]
const POINTS_MAX = 720

const NOTHING: Live = {
  snapshot: undefined,
  points: [],
  heard_ms: undefined,
  is_connected: false,
  needs_token: false,
  error: undefined,
}

/** A new value of `turn` makes it reconnect, with the current token. */
export function useLive(turn: number): Live {
  const [live, setLive] = useState<Live>(NOTHING)
  useEffect(() => {
    const controller = new AbortController()
    void follow(controller.signal, (change) => {
      if (!controller.signal.aborted) setLive(change)
    })
    return () => controller.abort()
  }, [turn])
  return live
}

type Change = (change: (old: Live) => Live) => void

async function follow(signal: AbortSignal, set: Change): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const { points } = await ask<{ readonly points: readonly HistoryPoint[] }>('/history')
      set((old) => ({ ...old, points }))
      await listen(signal, (snapshot) => {
        failures = 0
        set((old) => ({
          snapshot,
          points: withPoint(old.points, snapshot.point),
          heard_ms: Date.now(),
          is_connected: true,
          needs_token: false,
          error: undefined,
        }))
      })
      set((old) => ({ ...old, is_connected: false, error: 'The console closed the connection.' }))
    } catch (error) {
      const needs_token = error instanceof Refusal && error.status === 401
      set((old) => ({ ...old, is_connected: false, needs_token, error: (error as Error).message }))
      if (needs_token) return
    }
    await new Promise((resolve) =>
      setTimeout(resolve, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]),
    )
  }
}

/** Returns when the connection has ended or has been silent for too long. */
async function listen(signal: AbortSignal, tell: (snapshot: Snapshot) => void): Promise<void> {
  const own = new AbortController()
  signal.addEventListener('abort', () => own.abort())
  let timer = setTimeout(() => own.abort(), SILENT_MS)
  try {
    const response = await fetch('/api/events', { headers: headers(), signal: own.signal })
    if (!response.ok || response.body === null)
      throw new Refusal(response.status, 'The console refuses to go live.')
    let text = ''
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(timer)
      timer = setTimeout(() => own.abort(), SILENT_MS)
      text += decoder.decode(value, { stream: true })
      const parts = text.split('\n\n')
      text = parts.pop() ?? ''
      for (const part of parts) {
        const data = /^data: (.*)$/m.exec(part)?.[1]
        if (data !== undefined) tell(JSON.parse(data) as Snapshot)
      }
    }
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw new Error('The console does not answer.', { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

function withPoint(
  points: readonly HistoryPoint[],
  point: HistoryPoint | null,
): readonly HistoryPoint[] {
  if (point === null || (points.at(-1)?.[0] ?? 0) >= point[0]) return points
  return [...points, point].slice(-POINTS_MAX)
}

/** The time now, once a second. */
export function useClock(): number {
  const [now_ms, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
  return now_ms
}
