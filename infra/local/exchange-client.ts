/** Client of the exchange server's control API, /_exchange. */
import { OperatorError } from '#core/errors.ts'
import type { Ledger } from '../exchange/ledger.ts'
import type { SourceStatus } from '../exchange/source.ts'

/** Starts the recording, once its clients are connected. */
export async function startPlaying(exchange_url: string): Promise<void> {
  const answer = await fetch(`${exchange_url}/_exchange/replay/start`, { method: 'POST' })
  if (!answer.ok) {
    throw new OperatorError(
      'replay_refused',
      `The exchange server refused to play: ${await answer.text()}`,
    )
  }
}

export async function exchangeStatus(exchange_url: string): Promise<SourceStatus> {
  return (await (await fetch(`${exchange_url}/_exchange/status`)).json()) as SourceStatus
}

export async function exchangeLedger(exchange_url: string): Promise<Ledger> {
  return (await (await fetch(`${exchange_url}/_exchange/ledger`)).json()) as Ledger
}
