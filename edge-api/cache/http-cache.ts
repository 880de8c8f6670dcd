/** The part of the Cache API that is used: the cache of the edge location. */
export interface HttpCache {
  match(url: string): Promise<Response | undefined>
  put(url: string, response: Response): Promise<void>
}
