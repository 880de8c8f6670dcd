/**
 * Replaces `ajv` and `ajv-formats` in the worker's bundle (`alias` in wrangler.jsonc). The MCP SDK
 * needs them only for elicitation, which no tool uses.
 */
export default function noAjv() {}
export { noAjv as Ajv }
