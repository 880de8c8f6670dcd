/**
 * Whether a file is what its path says: a file of another symbol or day under a right name would
 * poison the tables, and its rows do not name their symbol. Binance's zips name their table, and
 * lines of Tardis their exchange and symbol.
 */
import { basename } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import { entryName, readContent } from './content.ts'
import type { SourceFile } from './kind.ts'
import { linesOf } from './lines.ts'

/** BTCUSDT-aggTrades-2024-03-29.csv, and BTCUSDT-1m-2024-03.csv. */
const TABLE_NAME = /^.+-[^-]+-\d{4}-\d{2}(?:-\d{2})?\.csv$/

/** Errors: `import_other_file`; `import_damaged`. */
export async function refuseOtherFile(file: SourceFile, path: string): Promise<void> {
  const [expected, found] =
    file.source === 'binance' ? await ofZip(file, path) : await ofLine(file, path)
  if (found === undefined || found === expected) return
  throw new OperatorError(
    'import_other_file',
    `${file.path} holds ${found}, and should hold ${expected}.`,
    { hint: 'Nothing of it was stored. Fetch it again, or look for the right file.' },
  )
}

type Compared = readonly [expected: string, found: string | undefined]

/** Names of another form say nothing. */
async function ofZip({ path: source_path }: SourceFile, path: string): Promise<Compared> {
  const expected = basename(source_path).replace(/\.zip$/, '.csv')
  const name = path.endsWith('.zip') ? basename(await entryName(path)) : expected
  return [expected, TABLE_NAME.test(name) ? name : undefined]
}

async function ofLine({ path: source_path, symbol }: SourceFile, path: string): Promise<Compared> {
  const exchange = source_path.split('/')[1]!
  const expected = `${exchange} ${symbol}`.toLowerCase()
  const [header, first] = await firstLines(path)
  const names = header?.split(',') ?? []
  const places = ['exchange', 'symbol'].map((name) => names.indexOf(name))
  const cells = first?.split(',') ?? []
  // A line that cannot be read is the parser's matter.
  if (places.includes(-1) || cells.length !== names.length) return [expected, undefined]
  const found = places.map((place) => cells[place]!)
  return [expected, found.join(' ').toLowerCase()]
}

async function firstLines(path: string): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const some of linesOf(readContent(path))) {
    lines.push(...some.slice(0, 2))
    if (lines.length >= 2) break
  }
  return lines
}
