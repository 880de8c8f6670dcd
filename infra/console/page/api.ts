/** The page's client of the console's API. The token stays in this tab. */
import { useEffect, useState } from 'preact/hooks'

const TOKEN = 'booktape-token'

export function token(): string {
  return sessionStorage.getItem(TOKEN) ?? ''
}

export function setToken(text: string): void {
  if (text === '') sessionStorage.removeItem(TOKEN)
  else sessionStorage.setItem(TOKEN, text)
}

/** An error for people. `status` 0: the console did not answer. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export function headers(): Record<string, string> {
  const text = token()
  return text === '' ? {} : { authorization: `Bearer ${text}` }
}

export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response
  try {
    response = await fetch(`/api${path}`, {
      ...init,
      headers: {
        accept: 'application/json',
        ...headers(),
        ...(init.headers as Record<string, string>),
      },
    })
  } catch {
    throw new Refusal(0, 'The console does not answer.')
  }
  const body = (await response.json().catch(() => undefined)) as unknown
  if (response.ok) return body as T
  const { title, detail } = (body ?? {}) as { readonly title?: string; readonly detail?: string }
  const outcome = firstFailure(body)
  throw new Refusal(
    response.status,
    outcome ?? ([title, detail].filter(Boolean).join(' ') || `Status ${response.status}.`),
  )
}

export function send<T>(method: 'POST' | 'PUT', path: string, body: unknown): Promise<T> {
  return ask<T>(path, {
    method,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
  })
}

function firstFailure(body: unknown): string | undefined {
  const { outcomes } = (body ?? {}) as {
    readonly outcomes?: readonly {
      readonly ingestor_id: string
      readonly is_done: boolean
      readonly answer: { readonly detail?: string }
    }[]
  }
  const failed = outcomes?.find(({ is_done }) => !is_done)
  return failed && `${failed.ingestor_id}: ${failed.answer.detail ?? 'refused'}`
}

export interface Loaded<T> {
  readonly data: T | undefined
  /** Error of the newest request; older data may still be shown. */
  readonly error: string | undefined
  reload(): void
}

/** Fetches at once, whenever `path` changes, and at intervals. Without a path it does nothing. */
export function useAsk<T>(path: string | undefined, every_ms: number): Loaded<T> {
  const [state, setState] = useState<{
    path: string | undefined
    data: T | undefined
    error: string | undefined
  }>({
    path,
    data: undefined,
    error: undefined,
  })
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    if (path === undefined) return
    let is_gone = false
    let timer = 0
    const load = async (): Promise<void> => {
      try {
        const data = await ask<T>(path)
        if (!is_gone) setState({ path, data, error: undefined })
      } catch (error) {
        const { message } = error as Error
        if (!is_gone)
          setState((old) => ({
            path,
            data: old.path === path ? old.data : undefined,
            error: message,
          }))
      }
      if (!is_gone) timer = window.setTimeout(() => void load(), every_ms)
    }
    void load()
    return () => {
      is_gone = true
      clearTimeout(timer)
    }
  }, [path, every_ms, turn])
  return {
    data: state.path === path ? state.data : undefined,
    error: state.path === path ? state.error : undefined,
    reload: () => setTurn((n) => n + 1),
  }
}
