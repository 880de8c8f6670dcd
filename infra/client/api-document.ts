/** The OpenAPI document of the app, which needs no service to describe itself. */
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import type { ApiDocument } from './print-types.ts'

const NOWHERE = {
  DATABASE_URL: 'postgres://nobody@localhost/none',
  GATEWAY_URL: 'http://localhost:1',
  GATEWAY_SECRET: 'a secret that nobody has to know',
  S3_ENDPOINT: 'http://localhost:1',
  S3_BUCKET: 'none',
  S3_REGION: 'none',
  S3_ACCESS_KEY_ID: 'none',
  S3_SECRET_ACCESS_KEY: 'none',
  TOKEN_SECRET: 'a secret that nobody has to know',
  PUBLIC_READ: 'true',
}

export async function apiDocument(): Promise<ApiDocument> {
  const app = composeApp(NOWHERE, {
    now: () => fromMillis(Date.now()),
    report: (error) => {
      throw error
    },
  })
  return (await (await app.request('/openapi.json')).json()) as ApiDocument
}
