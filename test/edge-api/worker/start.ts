/** A worker of these tests in real workerd: bundled, and nothing bound to it. */
import { build } from 'esbuild'
import { Miniflare } from 'miniflare'

export interface TestWorker {
  readonly url: string
  stop(): Promise<void>
}

export async function startTestWorker(entry: string): Promise<TestWorker> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    external: ['node:*'],
    logLevel: 'error',
  })
  const server = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    telemetry: { enabled: false },
    workers: [
      {
        config: {
          name: 'test',
          compatibilityDate: '2026-10-20',
          env: {},
          manifest: {
            mainModule: 'worker.js',
            modulesRoot: import.meta.dirname,
            modules: { 'worker.js': { type: 'esm', contents: outputFiles[0]!.text } },
          },
        },
        dev: { rootPath: import.meta.dirname },
      },
    ],
  })
  const { port } = await server.ready
  return { url: `http://127.0.0.1:${port}`, stop: () => server.dispose() }
}
