/** An MCP server that lists the tools and answers their calls. Each request gets a new one. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  CallToolRequestSchema,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type CallToolResult,
} from '@modelcontextprotocol/sdk/types.js'
import { badParameters, problemResponse } from '../problem.ts'
import { MCP_TOOLS, pathOf, wrongArguments } from './tools.ts'

/** Sends a GET to this API on behalf of the caller. */
export type AskApi = (path: string) => Promise<Response>

const INFO = { name: 'booktape', version: '1' }
const INSTRUCTIONS =
  'Recorded market data: order books, trades, candles, signals, gaps of the recording, features ' +
  'and datasets. Prices are decimal strings, ' +
  'times are ISO 8601 in UTC. If an answer has `next`, pass its cursor to get the next page.'

export function createMcpServer(ask: AskApi): Server {
  const server = new Server(INFO, {
    capabilities: { tools: {} },
    instructions: INSTRUCTIONS,
    jsonSchemaValidator: { getValidator: neverAsked },
  })
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: MCP_TOOLS.map(({ name, title, description, inputSchema }) => ({
      name,
      title,
      description,
      inputSchema,
      annotations: { readOnlyHint: true, openWorldHint: false },
    })),
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    const tool = MCP_TOOLS.find(({ name }) => name === params.name)
    if (tool === undefined) {
      const names = MCP_TOOLS.map(({ name }) => name).join(', ')
      throw new McpError(ErrorCode.InvalidParams, `Unknown tool. The tools are ${names}.`)
    }
    const args = params.arguments ?? {}
    const path = pathOf(tool, args)
    const wrong = wrongArguments(tool, args)
    if (wrong.length === 0) return resultOf(await ask(path))
    return resultOf(problemResponse(badParameters(wrong), `http://mcp.invalid${path}`))
  })
  return server
}

/** A problem document is a result too: it tells the model what is allowed. */
async function resultOf(response: Response): Promise<CallToolResult> {
  const text = await response.text()
  return { content: [{ type: 'text', text }], isError: !response.ok }
}

/** The SDK needs a validator only for elicitation, and no tool uses elicitation. */
function neverAsked(): never {
  throw new TypeError('Elicitation is not supported.')
}
