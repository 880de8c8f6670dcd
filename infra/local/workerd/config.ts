/** The configuration of a workerd that runs the edge worker and nothing else. */

export interface WorkerdConfig {
  readonly compatibility_date: string
  readonly v8_flags: readonly string[]
  readonly port: number
  /** Text bindings of the worker. */
  readonly texts: Readonly<Record<string, string>>
  /** JSON bindings. */
  readonly values: Readonly<Record<string, unknown>>
  /** Folders that the worker reads, each behind a binding of this name. */
  readonly folders: Readonly<Record<string, string>>
}

/**
 * In Cap'n Proto's text form. Beside it lie the modules: entry.js, worker.js and cache.js. The
 * worker may reach every address, as on Cloudflare it reaches the gateway and the store.
 */
export function workerdConfig(config: WorkerdConfig): string {
  const { compatibility_date, v8_flags, port, texts, values, folders } = config
  const date = `compatibilityDate = ${quote(compatibility_date)}`
  const bindings = [
    ...Object.entries(texts).map(
      ([name, text]) => `(name = ${quote(name)}, text = ${quote(text)})`,
    ),
    ...Object.entries(values).map(
      ([name, value]) => `(name = ${quote(name)}, json = ${quote(JSON.stringify(value))})`,
    ),
    ...Object.keys(folders).map((name) => `(name = ${quote(name)}, service = ${quote(name)})`),
  ]
  const disks = Object.entries(folders).map(
    ([name, path]) => `(name = ${quote(name)}, disk = (path = ${quote(path)}))`,
  )
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = (
      modules = [
        (name = "entry.js", esModule = embed "entry.js"),
        (name = "worker.js", esModule = embed "worker.js")
      ],
      bindings = [
        ${bindings.join(',\n        ')}
      ],
      ${date},
      cacheApiOutbound = "cache",
      globalOutbound = "network"
    )),
    (name = "cache", worker = (
      modules = [(name = "cache.js", esModule = embed "cache.js")],
      ${date}
    )),
    (name = "network", network = (
      allow = ["public", "private"],
      tlsOptions = (trustBrowserCas = true)
    )),
    ${disks.join(',\n    ')}
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "edge")],
  v8Flags = [${v8_flags.map(quote).join(', ')}]
);
`
}

/** A text literal of Cap'n Proto, which escapes as C does. */
function quote(text: string): string {
  const escaped = JSON.stringify(text).replaceAll(
    /\\u([0-9a-f]{4})/g,
    (_match, code: string) => `\\x${code.slice(2)}`,
  )
  return escaped
}
