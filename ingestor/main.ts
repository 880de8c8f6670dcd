/** The ingestor: from the exchange's sockets to the tape, from the tape to Postgres. */
import { describeError, OperatorError } from '#core/errors.ts'
import { createLogger, type Logger } from '#core/node/log.ts'
import { connectServiceManager } from '#core/node/service-manager.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { requireWritable } from '#core/node/writable-directory.ts'
import { desiredBy, type IngestorConfig, parseConfig } from './config.ts'
import { type Control, startControl } from './control/control.ts'
import { readStartingPoint, type StartingPoint } from './control/desired.ts'
import { type HealthServer, serveHealth } from './health.ts'
import { createLiveness } from './liveness.ts'
import type { IngestorMessage } from './messages.ts'
import { createRecorder, type Recorder } from './recorder.ts'

const STATUS_MS = 1_000

await main()

async function main(): Promise<void> {
  let config: IngestorConfig
  let log = createLogger('ingestor')
  let start: StartingPoint
  let recorder: Recorder
  try {
    config = parseConfig(process.env)
    log = createLogger('ingestor', config.log_level)
    requireWritable(config.tape.dir, 'TAPE_DIR')
    start = readStartingPoint(config.tape.dir, desiredBy(config), log)
    recorder = createRecorder(config, start, log)
  } catch (error) {
    logFatal(log, error)
    process.exitCode = 1
    return
  }
  let health: HealthServer | undefined
  let control: Control | undefined
  const manager = connectServiceManager(process.env, log)
  const shutdown = onShutdown(log, async (reason) => {
    log.info({ reason }, 'Stopping.')
    manager.stopping()
    await starting.catch(() => undefined)
    await health?.close()
    await control?.close()
    await recorder.stop()
    await control?.reportEnd()
  })
  const fail = (error: unknown): void => {
    if (shutdown.signal.aborted) return
    logFatal(log, error)
    shutdown.begin('failed', 1)
  }
  const tell = (message: IngestorMessage): void => tellParent({ ...message })
  const tellStatus = (): void => tell({ type: 'status', ...recorder.status() })
  const begin = async (): Promise<void> => {
    if (config.health !== undefined)
      health = await serveHealth(config.health, () => recorder.status())
    control = await startControl(config, recorder, start, log)
    await recorder.start(shutdown.signal)
    manager.ready(
      createLiveness(
        () => recorder.vitalSigns(),
        () => performance.now(),
      ),
    )
    tell({ type: 'ready' })
    tellStatus()
  }
  const starting = begin()
  starting.catch(fail)
  recorder.failed.catch(fail)
  setInterval(tellStatus, STATUS_MS)
  process.on('message', (message: unknown) => {
    if ((message as { readonly type?: unknown } | null)?.type !== 'drain') return
    recorder.drain().then((counts) => tell({ type: 'drained', counts }), fail)
  })
}

/** A stack only where the mistake is ours. */
function logFatal(log: Logger, error: unknown): void {
  if (error instanceof OperatorError) log.fatal({ code: error.code }, describeError(error))
  else log.fatal({ code: 'ingestor_failed', stack: (error as Error).stack }, describeError(error))
}
