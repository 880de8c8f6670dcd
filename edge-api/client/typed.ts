/** What a request's parameters make of its answer's type. */
import type { Api } from './api.ts'

export type Path = keyof Api
export type Params<P extends Path> = Api[P]['params']

/** Paths without required parameters. */
export type OpenPath = { [P in Path]: Record<never, never> extends Params<P> ? P : never }[Path]

/** Paths whose answers have rows and `next`. */
export type PagedPath = {
  [P in Path]: Api[P]['answer'] extends {
    readonly rows: readonly unknown[]
    readonly next: string | null
  }
    ? P
    : never
}[Path]

/** Paths that can answer with an Arrow stream. */
export type TablePath = { [P in Path]: Api[P]['is_table'] extends true ? P : never }[Path]

type JoinedName = `quote_${string}`

/** Every column, unless the request chose some; those of the quote only with `with=quote`. */
type Row<R, Q> = Q extends { readonly columns: unknown }
  ? R
  : Q extends { readonly with: 'quote' }
    ? Required<R>
    : { readonly [K in keyof R as K extends JoinedName ? never : K]-?: R[K] }

export type Answer<P extends Path, Q> = Api[P]['answer'] extends {
  readonly rows: readonly (infer R)[]
}
  ? Omit<Api[P]['answer'], 'rows'> & { readonly rows: readonly Row<R, Q>[] }
  : Api[P]['answer']

export type RowOf<P extends PagedPath, Q> =
  Answer<P, Q> extends {
    readonly rows: readonly (infer R)[]
  }
    ? R
    : never
