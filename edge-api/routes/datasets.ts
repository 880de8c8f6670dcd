/** GET /v1/datasets and below: published datasets, their dates, and the files of a date. */
import { createRoute } from '@hono/zod-openapi'
import { toIso } from '#core/time.ts'
import { MANIFEST_FILE, datasetFileKey } from '#core/object-keys.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { datasetDatePath, datasetPath, query } from '../schemas/parameters.ts'
import { DatasetDate, DatasetDates, DatasetList } from '../schemas/schemas.ts'
import { json, problems } from './answers.ts'
import { requireManifest, unknownDataset } from './dataset-lookup.ts'

export const list = createRoute({
  method: 'get',
  path: '/v1/datasets',
  operationId: 'listDatasets',
  tags: ['datasets'],
  summary: 'Published datasets',
  description: 'With the first and last date of each.',
  request: { query: query({}) },
  responses: { 200: json(DatasetList, 'Datasets by name.'), ...problems(400, 502, 503) },
})

export const dates = createRoute({
  method: 'get',
  path: '/v1/datasets/{name}',
  operationId: 'listDatasetDates',
  tags: ['datasets'],
  summary: 'Published dates of a dataset',
  description: 'Oldest first.',
  request: { params: datasetPath, query: query({}) },
  responses: { 200: json(DatasetDates, 'Dates in order.'), ...problems(400, 404, 502, 503) },
})

export const date = createRoute({
  method: 'get',
  path: '/v1/datasets/{name}/{date}',
  operationId: 'getDatasetDate',
  tags: ['datasets'],
  summary: 'One date of a dataset: its manifest, with a signed URL for every file',
  description: 'The URLs need no token. The answer says until when they are valid.',
  request: { params: datasetDatePath, query: query({}) },
  responses: {
    200: json(
      DatasetDate,
      `The manifest with URLs. The bare manifest is the file ${MANIFEST_FILE}.`,
    ),
    ...problems(400, 404, 502, 503),
  },
})

export function datasetRoutes(app: App, deps: Deps): void {
  app.openapi(list, async (c) => {
    const datasets = await deps.datasets.list()
    cacheFor(c, 5)
    return c.json({ datasets }, 200)
  })

  app.openapi(dates, async (c) => {
    const { name } = c.req.valid('param')
    const [published, latest] = await Promise.all([
      deps.datasets.dates(name),
      deps.datasets.latest(name),
    ])
    if (published.length === 0) throw unknownDataset(name)
    cacheFor(c, 5)
    return c.json({ name, latest_date: latest?.date ?? null, dates: published }, 200)
  })

  app.openapi(date, async (c) => {
    const { name, date: day } = c.req.valid('param')
    const { manifest } = await requireManifest(deps.datasets, name, day)
    const now = deps.now()
    const signed = await Promise.all(
      manifest.files.map(async (file) => {
        const key = datasetFileKey(manifest, day, file.name)
        return { file, ...(await deps.signUrl(key, 'GET', now)) }
      }),
    )
    // Signed URLs expire and work for anyone who has them, so no cache may keep this answer.
    c.header('cache-control', 'no-store')
    return c.json(
      {
        ...manifest,
        files: signed.map(({ file, url }) => ({ ...file, url })),
        expires_at: toIso(signed[0]!.expires_at),
      },
      200,
    )
  })
}
