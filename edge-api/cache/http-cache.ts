/** The part of the Cache API that is used here: the cache of the place where the worker runs. */
export interface HttpCache {
  match(url: string): Promise<Response | undefined>
  put(url: string, response: Response): Promise<void>
}
