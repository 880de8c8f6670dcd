/**
 * A handler that does nothing, in a workerd of its own with the flags of the worker's: the limit of
 * what a worker can reach.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { COMPATIBILITY_DATE, V8_FLAGS } from '../../infra/local/worker.ts'
import { runWorkerd, type RunningWorkerd } from '../../infra/local/workerd/run.ts'

export interface NoOpAnswer {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

/** A gateway that answers everything with the same bytes, in this process. */
export async function startNoOpGateway(body: string): Promise<{ url: string; stop(): void }> {
  const bytes = Buffer.from(body)
  const head = { 'content-type': 'application/json', 'content-length': bytes.byteLength }
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, head).end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}

export async function startNoOp(
  dir: string,
  { headers, body }: NoOpAnswer,
  /** Asked before each answer, whose body is then its answer's. */
  gateway_url?: string,
): Promise<RunningWorkerd> {
  mkdirSync(dir, { recursive: true })
  const script = `const body = ${JSON.stringify(body)}
const headers = ${JSON.stringify(headers)}
export default {
  async fetch() {
    return new Response(${gateway_url === undefined ? 'body' : bodyFrom(gateway_url)}, { headers })
  },
}`
  writeFileSync(join(dir, 'no-op.js'), script)
  const config_path = join(dir, 'config.capnp')
  writeFileSync(
    config_path,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "no-op", worker = (
    modules = [(name = "no-op.js", esModule = embed "no-op.js")],
    compatibilityDate = "${COMPATIBILITY_DATE}",
    globalOutbound = "network"
  )), (name = "network", network = (allow = ["public", "private"]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "no-op")],
  v8Flags = [${V8_FLAGS.map((flag) => `"${flag}"`).join(', ')}]
);
`,
  )
  return runWorkerd(config_path)
}

function bodyFrom(url: string): string {
  return `(await fetch(${JSON.stringify(url)})).body`
}
