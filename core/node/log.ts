/** The one logger: JSON lines on stdout, a fixed sentence, facts in fields. */
import { pino, type Logger } from 'pino'

export type { Logger }

const REDACTED = [
  '*.password',
  '*.secret_access_key',
  '*.authorization',
  'connection_string',
  'database_url',
]

export function createLogger(program: string, level = 'info'): Logger {
  return pino({
    level,
    base: { program },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '[redacted]' },
  })
}

/** For tests and library calls that must not print. */
export const silentLogger: Logger = pino({ level: 'silent' })
