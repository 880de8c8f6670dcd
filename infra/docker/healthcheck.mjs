/**
 * HEALTHCHECK of the image: the program keeps HEALTH_FILE fresh while it serves and is alive
 * (core/node/health-file.ts). It is plain JavaScript and loads nothing, because it runs often.
 */
import { statSync } from 'node:fs'

/** The program writes every five seconds; a busy machine may delay that. */
const AGE_S_MAX = 30

const file = process.env['HEALTH_FILE'] ?? ''
const age_s = ageOf(file)
if (age_s === undefined) fail(`${file} does not exist: the program is not ready, or it is stopping.`)
else if (age_s > AGE_S_MAX) fail(`The program has not answered for ${Math.round(age_s)} s.`)

function ageOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? undefined : (Date.now() - stat.mtimeMs) / 1_000
}

function fail(message) {
  process.stdout.write(`${message}\n`)
  process.exitCode = 1
}
