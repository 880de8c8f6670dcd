/** Writes edge-api/client/api.ts: npm run client:types */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiDocument } from './api-document.ts'
import { printTypes } from './print-types.ts'

const path = join(import.meta.dirname, '..', '..', 'edge-api', 'client', 'api.ts')
writeFileSync(path, printTypes(await apiDocument()))
