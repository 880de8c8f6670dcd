/** `npx booktape retire <ingestor-id>`: ends the streams of an ingestor that will not run again. */
import { Command } from 'commander'
import { createPool } from '#core/node/pool.ts'
import { retireIngestor } from '../handover/end-streams.ts'
import { databaseUrl } from './options.ts'

export function retireCommand(): Command {
  return new Command('retire')
    .description('end the streams of an ingestor that will not run again, closing their open gaps')
    .argument('<ingestor-id>', 'INGESTOR_ID of the ingestor')
    .action(async (ingestor_id: string) => {
      const pool = createPool(databaseUrl(), 'booktape-retire', 1)
      try {
        const count = await retireIngestor(pool, ingestor_id)
        process.stdout.write(`${count} streams of ${ingestor_id} have ended (cause delisted).\n`)
      } finally {
        await pool.end()
      }
    })
}
