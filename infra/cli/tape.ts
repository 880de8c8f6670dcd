/** `npx booktape tape ls|cat|verify|import`: inspects a tape, or fills it from recordings. */
import { join } from 'node:path'
import { Command } from 'commander'
import { createLogger } from '#core/node/log.ts'
import { openTape } from '../../ingestor/tape/writer.ts'
import { wholeNumber } from './options.ts'
import { importRecording } from '../local/tape-import.ts'
import { catTape, listTape, verifyTape } from './tape-print.ts'

interface Place {
  readonly dataDir: string
  readonly tapeDir?: string
}

interface CatFlags extends Place {
  readonly from?: number
  readonly limit?: number
  readonly marks: boolean
}

interface ImportFlags extends Place {
  readonly maxBytes: number
}

const GIB = 1024 ** 3
const SEGMENT_BYTES = 64 * 1024 ** 2
const RECORD_BYTES_MAX = 16 * 1024 ** 2

export function tapeCommand(): Command {
  return new Command('tape')
    .description("inspect the tape: the ingestor's on-disk log of everything it received")
    .addCommand(lsCommand())
    .addCommand(catCommand())
    .addCommand(verifyCommand())
    .addCommand(importCommand())
}

function lsCommand(): Command {
  return placed('ls', 'list the segments of the tape').action((flags: Place) => {
    process.stdout.write(listTape(tapeDir(flags)))
  })
}

function catCommand(): Command {
  return placed('cat', 'print the tape as a recording (NDJSON)')
    .option('--from <position>', 'start with the record at this position', position)
    .option('--limit <records>', 'print at most this many records', position)
    .option('--marks', 'also print marks, which `import` and `replay` do not accept', false)
    .action(async (flags: CatFlags) => {
      const { from, limit, marks } = flags
      const whole = await catTape(
        { dir: tapeDir(flags), from: from ?? 'oldest', limit: limit ?? Infinity, marks },
        process.stdout,
        process.stderr,
      )
      if (!whole) process.exitCode = 1
    })
}

function verifyCommand(): Command {
  const description = 'check every record; exit code 1 if the tape is damaged'
  return placed('verify', description).action((flags: Place) => {
    const { report, intact } = verifyTape(tapeDir(flags))
    process.stdout.write(report)
    if (!intact) process.exitCode = 1
  })
}

function importCommand(): Command {
  return placed('import', 'append recordings to the tape, with their recorded receive times')
    .argument('<files...>', 'recordings (NDJSON, gzip or plain)')
    .option('--max-bytes <bytes>', 'limit on the total size of the tape', position, 16 * GIB)
    .action(async (files: readonly string[], flags: ImportFlags) => {
      const tape = openTape({
        dir: tapeDir(flags),
        max_bytes: flags.maxBytes,
        segment_bytes: SEGMENT_BYTES,
        record_bytes_max: RECORD_BYTES_MAX,
        keep_s: 0,
        log: createLogger('tape-import', 'warn'),
      })
      try {
        for (const file of files) {
          const { ws_count, rest_count, from, to } = await importRecording(tape, file)
          const what = `${ws_count} frames and ${rest_count} REST answers`
          process.stdout.write(`${file}: ${what} at positions ${from} to ${to}\n`)
        }
      } finally {
        await tape.close()
      }
    })
}

function placed(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option(
      '--data-dir <dir>',
      'folder of the local stack; the tape is in its subfolder tape',
      '.data',
    )
    .option('--tape-dir <dir>', 'folder of the tape itself')
    .allowExcessArguments(false)
}

function tapeDir(place: Place): string {
  return place.tapeDir ?? join(place.dataDir, 'tape')
}

const position = wholeNumber(0, Number.MAX_SAFE_INTEGER)
