/** A handler that does nothing, in a workerd of its own: the limit of what a worker can reach. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runWorkerd, type RunningWorkerd } from '../../infra/local/workerd/run.ts'

export interface NoOpAnswer {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

export async function startNoOp(
  dir: string,
  { headers, body }: NoOpAnswer,
): Promise<RunningWorkerd> {
  mkdirSync(dir, { recursive: true })
  const script = `const body = ${JSON.stringify(body)}
const headers = ${JSON.stringify(headers)}
export default { fetch: () => new Response(body, { headers }) }`
  writeFileSync(join(dir, 'no-op.js'), script)
  const config_path = join(dir, 'config.capnp')
  writeFileSync(
    config_path,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "no-op", worker = (
    modules = [(name = "no-op.js", esModule = embed "no-op.js")],
    compatibilityDate = "2026-10-20"
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "no-op")]
);
`,
  )
  return runWorkerd(config_path)
}
