/** Images in a folder of their own, made with buildah; those of the machine stay untouched. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './tools.ts'

export interface ImageConfig {
  readonly User: string
  readonly WorkingDir: string
  readonly StopSignal: string
  readonly Env: readonly string[]
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly Labels: Readonly<Record<string, string>>
  readonly Healthcheck: { readonly Test: readonly string[] }
}

export interface BuildOptions {
  readonly context: string
  readonly dockerfile: string
  readonly args: Readonly<Record<string, string>>
  /** Name and file of a secret that RUN may mount. */
  readonly secret: { readonly id: string; readonly file: string }
  /** Folders of this machine that RUN sees. */
  readonly mounts: readonly string[]
  readonly tag: string
}

export interface ImageStore {
  build(options: BuildOptions): void
  /** An image of one layer, or of `from` and one layer. `fill` gets the folder of its root. */
  make(tag: string, from: string, fill: (root: string) => void): void
  config(tag: string): ImageConfig
  history(tag: string): string
  /** A new root file system of the image; changes go nowhere. */
  mount(tag: string): string
  remove(): void
}

export function openImageStore(dir: string): ImageStore {
  const place = ['--root', join(dir, 'images'), '--runroot', join(dir, 'run')]
  const buildah = (...args: readonly string[]): string =>
    run('buildah', [...place, '--storage-driver', 'overlay', ...args])
  const inspect = (tag: string): { Docker: { config: ImageConfig; history: unknown } } =>
    JSON.parse(buildah('inspect', '--type', 'image', tag))
  return {
    build({ context, dockerfile, args, secret, mounts, tag }) {
      const files = ['--file', dockerfile, '--ignorefile', `${dockerfile}.dockerignore`]
      buildah(
        'build',
        // The other format has no health check.
        '--format=docker',
        '--isolation=chroot',
        '--network=host',
        `--tag=${tag}`,
        `--secret=id=${secret.id},src=${secret.file}`,
        ...files,
        ...Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
        ...mounts.flatMap((mount) => ['--volume', mount]),
        context,
      )
    },
    make(tag, from, fill) {
      const container = buildah('from', from)
      fill(buildah('mount', container))
      buildah('umount', container)
      buildah('commit', '--quiet', container, tag)
      buildah('rm', container)
    },
    config: (tag) => inspect(tag).Docker.config,
    history: (tag) => JSON.stringify(inspect(tag).Docker.history),
    mount: (tag) => buildah('mount', buildah('from', tag)),
    remove() {
      buildah('umount', '--all')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
