/** Requests to the API that served this page. */
import { readToken } from '../view/token.ts'

/** An error for people. `status` 0: the server did not answer. */
export class Refusal extends Error {
  readonly status: number
  /** The problem's type, such as unknown_path. */
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }

  /** Asking again later may help. */
  get is_temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

let ahead_ms = 0

/** By the server's clock, to the second [us since 1970]. */
export function serverNow(): number {
  return (Date.now() + ahead_ms) * 1_000
}

interface Problem {
  readonly type?: string
  readonly title?: string
  readonly detail?: string
}

export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  const token = readToken()
  let response: Response
  try {
    response = await fetch(path, {
      signal: signal ?? null,
      headers: {
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    })
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw new Refusal(0, 'unreachable', 'The server does not answer.')
  }
  const date_ms = Date.parse(response.headers.get('date') ?? '')
  if (!response.headers.has('age') && date_ms > 0) ahead_ms = clockDifference(date_ms)
  const body = (await response.json().catch(() => ({}))) as unknown
  if (response.ok) return body as T
  const { type = '', title = `The server answered ${response.status}.`, detail } = body as Problem
  const code = type.replace('urn:booktape:problem:', '')
  throw new Refusal(response.status, code, [title, detail].filter(Boolean).join(' '))
}

interface Page<Row> {
  readonly rows: readonly Row[]
  readonly next: string | null
}

/** All rows of a range, page after page. */
export async function askAll<Row>(path: string, signal?: AbortSignal): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (let next: string | null = path; next !== null;) {
    const page: Page<Row> = await ask<Page<Row>>(next, signal)
    rows.push(...page.rows)
    next = page.next
  }
  return rows
}

/** The header has whole seconds: less than that is no difference. */
function clockDifference(date_ms: number): number {
  const difference_ms = date_ms - Date.now()
  return Math.abs(difference_ms) < 2_000 ? 0 : difference_ms
}
