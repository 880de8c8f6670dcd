/**
 * What stands for `ajv` and `ajv-formats` in the worker's bundle (`alias` in wrangler.jsonc). The
 * MCP server checks nothing with them: no tool asks its caller back.
 */
export default function noAjv() {}
export { noAjv as Ajv }
