/**
 * The Model Context Protocol over streamable HTTP, as far as a server without sessions and streams
 * needs it: JSON-RPC messages in one request, their answers as JSON. The official SDK would be a
 * tenth of the worker's script.
 */
import { badParameters, problemResponse } from '../problem.ts'
import { MCP_TOOLS, pathOf, wrongArguments } from './tools.ts'

/** Sends a GET to this API on behalf of the caller. */
export type AskApi = (path: string) => Promise<Response>

const INFO = { name: 'booktape', version: '1' }
const INSTRUCTIONS =
  'Recorded market data: order books, trades, candles, signals, gaps of the recording, features ' +
  'and datasets. Prices are decimal strings, ' +
  'times are ISO 8601 in UTC. If an answer has `next`, pass its cursor to get the next page.'

/** Revisions of the protocol, newest first. */
const VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07']

/** Error codes of JSON-RPC. The last one is left to servers. */
const PARSE_ERROR = -32_700
const INVALID_REQUEST = -32_600
const METHOD_NOT_FOUND = -32_601
const INVALID_PARAMS = -32_602
const REFUSED = -32_000

type Fields = Readonly<Record<string, unknown>>

interface Message {
  /** Undefined: a notification, which has no answer. */
  readonly id: string | number | undefined
  /** Undefined: an answer of the client. */
  readonly method: string | undefined
  readonly params: Fields
}

/** `body` is the parsed body of the request. */
export async function answerMessages(
  { headers }: Pick<Request, 'headers'>,
  body: unknown,
  ask: AskApi,
): Promise<Response> {
  const accept = headers.get('accept') ?? ''
  if (!['application/json', 'text/event-stream'].every((type) => accept.includes(type))) {
    return refusal(406, REFUSED, 'Accept must list application/json and text/event-stream.')
  }
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') {
    return refusal(415, REFUSED, 'Content-Type must be application/json.')
  }
  const sent: readonly unknown[] = Array.isArray(body) ? body : [body]
  const messages = sent.flatMap((value) => messageOf(value) ?? [])
  if (messages.length === 0 || messages.length < sent.length) {
    return refusal(400, PARSE_ERROR, 'Invalid JSON-RPC message.')
  }
  const is_first = messages.some(({ method }) => method === 'initialize')
  if (is_first && messages.length > 1) {
    return refusal(400, INVALID_REQUEST, 'initialize must be alone in its request.')
  }
  const version = headers.get('mcp-protocol-version')
  if (!is_first && version !== null && !VERSIONS.includes(version)) {
    const detail = `Unsupported protocol version. The versions are ${VERSIONS.join(', ')}.`
    return refusal(400, REFUSED, detail)
  }
  const requests = messages.filter(({ id, method }) => id !== undefined && method !== undefined)
  if (requests.length === 0) return new Response(null, { status: 202 })
  const answers = await Promise.all(requests.map((message) => answerOf(message, ask)))
  return Response.json(Array.isArray(body) ? answers : answers[0])
}

function messageOf(value: unknown): Message | undefined {
  if (!isObject(value) || value['jsonrpc'] !== '2.0') return undefined
  const { id, method, params = {} } = value
  const is_id = id === undefined || typeof id === 'string' || Number.isSafeInteger(id)
  if (!is_id || !isObject(params)) return undefined
  if (typeof method === 'string') return { id: id as Message['id'], method, params }
  const is_answer = id !== undefined && ('result' in value || 'error' in value)
  return is_answer ? { id: id as Message['id'], method: undefined, params } : undefined
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

interface McpError {
  readonly code: number
  readonly message: string
}

type Outcome = { readonly result: object } | { readonly error: McpError }

async function answerOf({ id, method, params }: Message, ask: AskApi): Promise<object> {
  return { jsonrpc: '2.0', id, ...(await outcomeOf(method!, params, ask)) }
}

async function outcomeOf(method: string, params: Fields, ask: AskApi): Promise<Outcome> {
  switch (method) {
    case 'initialize':
      return { result: initialized(params['protocolVersion']) }
    case 'ping':
      return { result: {} }
    case 'tools/list':
      return { result: { tools: TOOLS } }
    case 'tools/call':
      return call(params, ask)
    default:
      return { error: { code: METHOD_NOT_FOUND, message: 'Method not found' } }
  }
}

function initialized(asked: unknown): object {
  const version = VERSIONS.find((known) => known === asked) ?? VERSIONS[0]
  return {
    protocolVersion: version,
    capabilities: { tools: {} },
    serverInfo: INFO,
    instructions: INSTRUCTIONS,
  }
}

const TOOLS = MCP_TOOLS.map(({ name, title, description, inputSchema }) => ({
  name,
  title,
  description,
  inputSchema,
  annotations: { readOnlyHint: true, openWorldHint: false },
}))

async function call({ name, arguments: args = {} }: Fields, ask: AskApi): Promise<Outcome> {
  const tool = MCP_TOOLS.find((known) => known.name === name)
  if (tool === undefined) {
    const names = MCP_TOOLS.map((known) => known.name).join(', ')
    return { error: { code: INVALID_PARAMS, message: `Unknown tool. The tools are ${names}.` } }
  }
  if (!isObject(args)) {
    return { error: { code: INVALID_PARAMS, message: 'arguments must be an object.' } }
  }
  const path = pathOf(tool, args)
  const wrong = wrongArguments(tool, args)
  if (wrong.length === 0) return resultOf(await ask(path))
  return resultOf(problemResponse(badParameters(wrong), `http://mcp.invalid${path}`))
}

/** A problem document is a result too: it tells the model what is allowed. */
async function resultOf(response: Response): Promise<Outcome> {
  const text = await response.text()
  return { result: { content: [{ type: 'text', text }], isError: !response.ok } }
}

function refusal(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', error: { code, message }, id: null }, { status })
}
