/**
 * Check `ingestors`: each that reported itself in the last day still does, and hears every stream
 * that it is to record.
 */
import type { Client } from '#core/node/pool.ts'
import type { Finding } from '#core/validation.ts'
import { type Checked, RECORDED_S } from './checked.ts'

/** There is a heartbeat every ten seconds. */
const SILENT_S_MAX = 60
/** So long the subscriptions of an ingestor may take after its start. */
const START_S = 300

interface Ingestor {
  readonly ingestor_id: string
  readonly exchange: string
  readonly host: string
  readonly state: string
  readonly recording: string
  readonly streams_wanted: number
  readonly streams_heard: number
  readonly silent_s: number
  readonly up_s: number
}

export async function checkIngestors(client: Client, now: string): Promise<Checked> {
  const { rows } = await client.query<Ingestor>(
    `select ingestor_id, exchange, host, state, recording, streams_wanted, streams_heard,
       extract(epoch from $1::timestamptz - seen_at)::float8 as silent_s,
       extract(epoch from $1::timestamptz - started_at)::float8 as up_s
     from marketdata.ingestors
     where state <> 'stopped' and seen_at > $1::timestamptz - make_interval(secs => $2)
     order by ingestor_id`,
    [now, RECORDED_S],
  )
  return {
    looked_at: `${rows.length} ingestors`,
    row_count: rows.length,
    findings: rows.flatMap(judge),
  }
}

function judge(ingestor: Ingestor): readonly Finding[] {
  const { ingestor_id, exchange, host, state, recording, silent_s, up_s } = ingestor
  const { streams_wanted: wanted, streams_heard: heard } = ingestor
  const name = `Ingestor ${ingestor_id} (${exchange}, on ${host})`
  if (silent_s > SILENT_S_MAX) {
    const age = `${Math.round(silent_s)} s ago`
    return [
      finding('ingestor_gone', `${name} reported itself ${age}, and did not say that it stops.`),
    ]
  }
  if (state === 'tape_full') {
    return [
      finding('tape_full', `${name} takes no frames: the disk budget of its tape is used up.`),
    ]
  }
  if (recording === 'recording' && up_s > START_S && heard < wanted) {
    return [finding('streams_unheard', `${name} hears ${heard} of ${wanted} streams.`)]
  }
  return []
}

function finding(code: string, sentence: string): Finding {
  return { check: 'ingestors', code, table_name: null, symbols: [], sentence }
}
