/** Deribit's methods as GET /api/v2/public/...: the same results in the same envelope. */
import type { Source } from '../source.ts'
import { CALL_CREDITS, createCredits } from './credits.ts'
import { errorAnswer, resultAnswer, RpcError, tooManyRequests } from './json-rpc.ts'
import { resultOf } from './methods.ts'

export interface DeribitAnswer {
  readonly status: number
  readonly body: string
}

const PREFIX = '/api/v2/'

/** Returns undefined for other exchanges' paths. */
export type AnswerDeribit = (url: URL) => DeribitAnswer | undefined

export function createDeribitRest(source: Pick<Source, 'indexes' | 'rest'>): AnswerDeribit {
  const { indexes, rest } = source
  const mayCall = createCredits(CALL_CREDITS, performance.now())
  const nowMs = (): number => rest.nowMs()
  return ({ pathname, searchParams }) => {
    if (!pathname.startsWith(PREFIX)) return undefined
    const came_in_us = nowMs() * 1_000
    const took = (): [number, number] => [came_in_us, nowMs() * 1_000]
    try {
      if (!mayCall(performance.now())) throw tooManyRequests()
      const params = Object.fromEntries(searchParams)
      const result = resultOf(pathname.slice(PREFIX.length), params, { indexes, nowMs })
      if (result === undefined) throw new RpcError(-32601, 'Method not found')
      return { status: 200, body: resultAnswer(null, result, took()) }
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      return { status: error.code === 10028 ? 429 : 400, body: errorAnswer(null, error, took()) }
    }
  }
}
