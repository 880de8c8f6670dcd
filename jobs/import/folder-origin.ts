/** Files in a folder: under the source's paths, or under their own names anywhere. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import { localNames } from './files.ts'
import type { SourceFile } from './kind.ts'
import { type Origin, sumOf } from './origin.ts'

export async function createFolderOrigin(folder: string): Promise<Origin> {
  const listed = await readdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new OperatorError('import_folder', `${folder} is not a folder that can be read.`, {
      cause,
    })
  })
  const paths = listed.map((name) => join(folder, name))
  const by_name = Map.groupBy(paths, (path) => basename(path))
  const locate = (file: SourceFile): string | undefined => {
    const whole = paths.find((path) => path.endsWith(`/${file.path}`))
    if (whole !== undefined) return whole
    const found = localNames(file).flatMap((name) => by_name.get(name) ?? [])
    if (found.length <= 1) return found[0]
    throw new OperatorError(
      'import_ambiguous',
      `${file.path} could be any of ${found.join(', ')}.`,
      { hint: 'Name a folder with one of them, or keep the paths that the source has.' },
    )
  }
  return {
    async find(file) {
      const path = locate(file)
      return path === undefined ? undefined : { byte_count: (await stat(path)).size }
    },
    async checksum(file) {
      const text = await readFile(`${locate(file)}.CHECKSUM`, 'utf8').catch(() => undefined)
      return text === undefined ? undefined : sumOf(file, text)
    },
    async get(file, _part, _stated, onBytes) {
      const path = locate(file)!
      onBytes((await stat(path)).size)
      return path
    },
  }
}
