/** An error for a client: a code and a sentence. */
export const FAULT_CODES = [
  'bad_message', // not JSON, or not a message of the protocol
  'message_too_large',
  'too_many_messages',
  'too_many_subscriptions',
  'too_many_clients',
  'unknown_channel',
  'unknown_symbol',
  'ambiguous_symbol', // several exchanges list it
  'bad_cursor',
  'future_cursor',
  'outdated_cursor', // of another epoch, from before the recording, or older than may be resumed
  'history_unavailable', // retry later
  'consumer_too_slow',
  'draining', // the server is shutting down
] as const
export type FaultCode = (typeof FAULT_CODES)[number]

export class Fault extends Error {
  readonly code: FaultCode

  constructor(code: FaultCode, message: string) {
    super(message)
    this.name = 'Fault'
    this.code = code
  }
}
