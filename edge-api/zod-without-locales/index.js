/**
 * What stands for `zod` in the worker's bundle (`alias` in wrangler.jsonc): the same library
 * without its translations of messages, which nothing here shows and which are 39 KiB of the
 * compressed script. Types come from zod itself.
 */
import * as z from './parts.js'

export * from './parts.js'
export { z }
