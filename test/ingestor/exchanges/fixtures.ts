/** The fixture files of an exchange: whole frames and answers in its documented form. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const FIXTURES_DIR = join(import.meta.dirname, 'fixtures')

export interface FrameFixture {
  readonly file: string
  readonly golden_path: string
  readonly frame: Buffer
}

export interface RestFixture {
  readonly file: string
  readonly golden_path: string
  readonly path: string
  readonly body: string
}

export function frameFixtures(exchange: string): readonly FrameFixture[] {
  return filesOf(exchange, 'ws_').map(({ file, golden_path, text }) => ({
    file,
    golden_path,
    frame: Buffer.from(text.trimEnd()),
  }))
}

export function restFixtures(exchange: string): readonly RestFixture[] {
  return filesOf(exchange, 'rest_').map(({ file, golden_path, text }) => {
    const { path, body } = JSON.parse(text) as { path: string; body: unknown }
    return { file, golden_path, path, body: JSON.stringify(body) }
  })
}

function filesOf(
  exchange: string,
  prefix: string,
): readonly { file: string; golden_path: string; text: string }[] {
  const dir = join(FIXTURES_DIR, exchange)
  return readdirSync(dir)
    .filter((file) => file.startsWith(prefix) && !file.endsWith('.parsed.json'))
    .map((file) => ({
      file,
      golden_path: join(dir, file.replace(/\.json$/, '.parsed.json')),
      text: readFileSync(join(dir, file), 'utf8'),
    }))
}
