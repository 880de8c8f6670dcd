/**
 * Downloads: a redirect to a signed URL of one file of a manifest, and the manifest itself.
 * HEAD is redirected to a URL that is signed for HEAD, since readers of Parquet ask so for sizes.
 */
import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { etag } from 'hono/etag'
import type { Manifest } from '#core/dataset.ts'
import { MANIFEST_FILE, datasetFileKey } from '#core/object-keys.ts'
import { parseDay } from '#core/time.ts'
import { OperatorError } from '#core/errors.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { DatasetManifest } from '../schemas/dataset-schema.ts'
import { datasetDatePath, datasetFilePath, datasetPath, query } from '../schemas/parameters.ts'
import { json, problems } from './answers.ts'
import { requireManifest, unknownDataset, unknownFile } from './dataset-lookup.ts'

const redirect = {
  description: 'Where the file is; the URL is signed and ends soon.',
  headers: z.object({
    location: z.string(),
    'x-dataset-date': z.string().openapi({ description: 'The UTC day of the file.' }),
    'x-dataset-complete': z
      .enum(['true', 'false'])
      .openapi({ description: 'False for a day that was built before it was over.' }),
  }),
}

const yesterday = (format: 'parquet' | 'arrow') =>
  createRoute({
    method: 'get',
    path: `/v1/datasets/{name}/yesterday.${format}`,
    operationId: format === 'parquet' ? 'yesterdayParquet' : 'yesterdayArrow',
    tags: ['datasets'],
    summary: `The newest day that is over, as ${format === 'parquet' ? 'Parquet' : 'an Arrow file'}`,
    description: 'Until a day is over, the newest there is. x-dataset-date names the day.',
    request: { params: datasetPath, query: query({}) },
    responses: { 302: redirect, ...problems(400, 404, 502, 503) },
  })

export const manifestRoute = createRoute({
  method: 'get',
  path: `/v1/datasets/{name}/{date}/${MANIFEST_FILE}`,
  operationId: 'getDatasetManifest',
  tags: ['datasets'],
  summary: 'The manifest of a date as it was published',
  request: { params: datasetDatePath, query: query({}) },
  middleware: [etag()],
  responses: {
    200: json(DatasetManifest, 'Byte for byte what the store holds, with an ETag.'),
    304: { description: 'It is what If-None-Match names.' },
    ...problems(400, 404, 502, 503),
  },
})

const fileRoute = createRoute({
  method: 'get',
  path: '/v1/datasets/{name}/{date}/{file}',
  operationId: 'getDatasetFile',
  tags: ['datasets'],
  summary: 'One file of a date',
  request: { params: datasetFilePath, query: query({}) },
  responses: { 302: redirect, ...problems(400, 404, 502, 503) },
})

export function datasetFileRoutes(app: App, deps: Deps): void {
  for (const format of ['parquet', 'arrow'] as const) {
    app.openapi(yesterday(format), async (c) => {
      const { name } = c.req.valid('param')
      const latest = await deps.datasets.latest(name)
      if (latest === undefined) throw unknownDataset(name)
      const published = await deps.datasets.manifest(name, parseDay(latest.date)!)
      if (published === undefined) {
        throw new OperatorError(
          'dataset_corrupt',
          `${name}: latest.json names ${latest.date}, which has no manifest.`,
          {
            hint: 'The operator has to build this date again.',
          },
        )
      }
      return redirectToFile(c, deps, published.manifest, `${name}.${format}`)
    })
  }

  app.openapi(manifestRoute, async (c) => {
    const { name, date } = c.req.valid('param')
    const { bytes } = await requireManifest(deps.datasets, name, date)
    cacheFor(c, 0)
    return c.body(bytes, 200, { 'content-type': 'application/json' })
  })

  app.openapi(fileRoute, async (c) => {
    const { name, date, file } = c.req.valid('param')
    const { manifest } = await requireManifest(deps.datasets, name, date)
    return redirectToFile(c, deps, manifest, file)
  })
}

async function redirectToFile(
  c: Context,
  deps: Deps,
  manifest: Manifest,
  file: string,
): Promise<Response> {
  const names = manifest.files.map(({ name }) => name)
  if (!names.includes(file)) throw unknownFile(file, names)
  const { date, complete } = manifest
  const key = datasetFileKey(manifest, parseDay(date)!, file)
  const { url } = await deps.signUrl(key, c.req.method === 'HEAD' ? 'HEAD' : 'GET', deps.now())
  c.header('cache-control', 'no-store')
  c.header('x-dataset-date', date)
  c.header('x-dataset-complete', String(complete))
  return c.redirect(url, 302)
}
