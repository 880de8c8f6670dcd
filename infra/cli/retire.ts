/** `npx booktape retire <ingestor-id>`: ends the streams of an ingestor that will not run again. */
import { Command } from 'commander'
import { retireIngestor } from '../handover/end-streams.ts'
import { DATA_DIR_OPTION, withDatabase } from './services.ts'

export function retireCommand(): Command {
  return new Command('retire')
    .description('end the streams of an ingestor that will not run again, closing their open gaps')
    .argument('<ingestor-id>', 'INGESTOR_ID of the ingestor')
    .option(...DATA_DIR_OPTION)
    .action((ingestor_id: string, { dataDir }: { readonly dataDir: string }) =>
      withDatabase(dataDir, async (pool) => {
        const count = await retireIngestor(pool, ingestor_id)
        process.stdout.write(`${count} streams of ${ingestor_id} have ended (cause delisted).\n`)
      }),
    )
}
