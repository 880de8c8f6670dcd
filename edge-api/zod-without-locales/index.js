/**
 * Replaces `zod` in the worker's bundle (`alias` in wrangler.jsonc): the same library without its
 * translated messages, which are unused and 39 KiB of the compressed script. The types are zod's.
 */
import * as z from './parts.js'

export * from './parts.js'
export { z }
