/** An admin API as its callers have it: HTTP over its unix socket or over TCP. */
import { request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** Undefined if the text is not JSON. */
  // JSON of any route: each expectation names and compares the fields that it reads.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

export interface Ask {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** `where`: a path, or a port on 127.0.0.1. */
export function ask(where: string | number, path: string, options: Ask = {}): Promise<Answer> {
  const { method = 'GET', body, headers = {} } = options
  const text =
    typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body)
  const address =
    typeof where === 'string' ? { socketPath: where } : { host: '127.0.0.1', port: where }
  const type: Record<string, string> =
    text === undefined ? {} : { 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    const asked = request(
      { ...address, path, method, headers: { ...type, ...headers } },
      (response) => {
        let answer = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (answer += chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: answer,
            body: parse(answer),
          })
        })
      },
    )
    asked.on('error', reject)
    asked.end(text)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
