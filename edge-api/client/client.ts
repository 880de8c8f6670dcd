/** The client: answers, pages and rows as async iterables, Arrow tables, files, live streams. */
import type { ArrowTable } from './arrow.ts'
import { downloadFile, type DownloadOptions } from './download.ts'
import { openLive, type Live, type LiveOptions } from './live.ts'
import type { LiveChannel } from './live-types.ts'
import { createSend, type GetOptions, type RequestOptions } from './request.ts'
import type { Answer, OpenPath, PagedPath, Params, Path, RowOf, TablePath } from './typed.ts'

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface Client {
  /** The answer of a route that needs no parameters: `get('/v1/symbols')`. */
  get<P extends OpenPath>(path: P): Promise<Answer<P, Record<never, never>>>
  /** The answer of a route: `get('/v1/quotes/{symbol}/latest', { symbol: 'BTCUSDT' })`. */
  get<P extends Path, const Q extends Params<P>>(
    path: P,
    params: Q,
    options?: CallOptions,
  ): Promise<Answer<P, Q>>
  /** Every page of a range, from the first to the last. */
  pages<P extends PagedPath, const Q extends Params<P>>(
    path: P,
    params: Q,
    options?: CallOptions,
  ): AsyncGenerator<Answer<P, Q>, void, void>
  /** Every row of a range, over all its pages. */
  rows<P extends PagedPath, const Q extends Params<P>>(
    path: P,
    params: Q,
    options?: CallOptions,
  ): AsyncGenerator<RowOf<P, Q>, void, void>
  /** The pages of a range as columns: prices and quantities are doubles, times microseconds. */
  tables<P extends TablePath>(
    path: P,
    params: Params<P>,
    options?: CallOptions,
  ): AsyncGenerator<ArrowTable, void, void>
  /** The bytes of a dataset's file. Throws at the end if their SHA-256 is not the manifest's. */
  download(options: DownloadOptions): AsyncGenerator<Uint8Array, void, void>
  /** The live stream: resumes without a gap after any disconnect. */
  live<Channel extends LiveChannel>(
    options: Omit<LiveOptions<Channel>, 'url' | 'token'>,
  ): Live<Channel>
}

type Values = Readonly<Record<string, string | number | boolean | Date | readonly string[]>>

const ARROW = 'application/vnd.apache.arrow.stream'

export function createClient(options: RequestOptions): Client {
  const base = options.url.replace(/\/+$/, '')
  const send = createSend(options)
  const ask = (path: string, get: GetOptions): Promise<Response> => send(base + path, get)
  const askJson = async <Body>(path: string, { signal }: CallOptions): Promise<Body> =>
    (await (await ask(path, { accept: 'application/json', signal })).json()) as Body

  const client: Client = {
    get: (path: string, params: object = {}, call: CallOptions = {}) =>
      askJson<never>(pathOf(path, params as Values), call),
    async *pages<P extends PagedPath, Q extends Params<P>>(
      path: P,
      params: Q,
      call: CallOptions = {},
    ) {
      // Params<P> are those of the path, each of which is a value of a query.
      for (let next: string | null = pathOf(path, params as unknown as Values); next !== null;) {
        const page: Answer<P, Q> & { readonly next: string | null } = await askJson(next, call)
        yield page
        next = page.next
      }
    },
    async *rows(path, params, call) {
      for await (const { rows } of client.pages(path, params, call) as AsyncIterable<Rows>) {
        yield* rows as readonly never[]
      }
    },
    async *tables(path, params, { signal } = {}) {
      const { decodeArrow } = await import('./arrow.ts')
      for (let next: string | undefined = pathOf(path, params as Values); next !== undefined;) {
        const response: Response = await ask(next, { accept: ARROW, signal })
        yield decodeArrow(new Uint8Array(await response.arrayBuffer()))
        next = nextOf(response)
      }
    },
    download: (wanted) => downloadFile({ ask, send }, wanted),
    live(wanted) {
      const { token } = options
      return openLive({ ...wanted, url: base, ...(token === undefined ? {} : { token }) })
    },
  }
  return client
}

interface Rows {
  readonly rows: readonly unknown[]
}

/** The path of the next page. */
function nextOf({ headers }: Response): string | undefined {
  return /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
}

/** Fills in the path's parameters; the others become the query. */
export function pathOf(path: string, params: Values): string {
  const query = new URLSearchParams()
  let filled = path
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined) continue
    const text = textOf(value)
    if (filled.includes(`{${name}}`)) {
      filled = filled.replace(`{${name}}`, () => encodeURIComponent(text))
    } else query.set(name, text)
  }
  return query.size === 0 ? filled : `${filled}?${query.toString()}`
}

function textOf(value: Values[string]): string {
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? value.join(',') : String(value)
}
