/** What is measured of a request. Every text has few values, so none of them names a caller. */

export type CacheOutcome = 'hit' | 'miss' | 'none'
/** Where rows came from: Postgres, the archive, both, or the live server; none: not known. */
export type Source = 'hot' | 'cold' | 'both' | 'live' | 'none'

export interface RequestFacts {
  /** As the OpenAPI document writes it, `/v1/trades/{symbol}`; none if no route matches. */
  readonly route: string
  readonly method: string
  readonly status: number
  /** Of the problem document; none if there is no problem. */
  readonly code: string
  /** Hit: answered without calling the route. */
  readonly cache: CacheOutcome
  readonly source: Source
  /** Until the answer begins. The clock of a worker stops while it computes. */
  readonly duration_ms: number
  /** Size of the answer's body; 0 if there is none, if it is a problem, and if it is a stream. */
  readonly bytes: number
}

/** Context variable with the RequestFacts, once they are known. */
export const FACTS = 'request_facts'
/** Context variable with the CacheOutcome. */
export const CACHE_OUTCOME = 'cache_outcome'
/** Context variable with the Source. */
export const SOURCE = 'source'

/** Of a request that did not reach the app; without its status. */
export const NOTHING_KNOWN: Omit<RequestFacts, 'status'> = {
  route: 'none',
  method: 'other',
  code: 'none',
  cache: 'none',
  source: 'none',
  duration_ms: 0,
  bytes: 0,
}
