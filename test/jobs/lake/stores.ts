import type { ObjectStore } from '#core/node/object-store.ts'

/** The store as one that takes If-None-Match and ignores it, as some do. */
export function withoutConditions(store: ObjectStore): ObjectStore {
  return {
    ...store,
    async putIfAbsent(...args) {
      await store.put(...args)
      return 'added'
    },
  }
}
