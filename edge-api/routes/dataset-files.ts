/**
 * Downloads: a redirect to a signed URL for one file of a manifest, and the manifest itself.
 * HEAD redirects to a URL that is signed for HEAD: Parquet readers use it to get the file size.
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
  description: 'Redirect to the file. The URL is signed and expires after a limited time.',
  headers: z.object({
    location: z.string(),
    'x-dataset-date': z.string().openapi({ description: 'The UTC day of the file.' }),
    'x-dataset-complete': z
      .enum(['true', 'false'])
      .openapi({ description: 'False if the dataset was built before the day was over.' }),
  }),
}

/** For clients that follow redirects. */
const followed = {
  description: 'The file, as the bucket sends it to a caller that follows the redirect.',
  content: {
    'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) },
  },
}

const yesterday = (format: 'parquet' | 'arrow') =>
  createRoute({
    method: 'get',
    path: `/v1/datasets/{name}/yesterday.${format}`,
    operationId: format === 'parquet' ? 'yesterdayParquet' : 'yesterdayArrow',
    tags: ['datasets'],
    summary: `The newest complete day, as ${format === 'parquet' ? 'Parquet' : 'an Arrow file'}`,
    description:
      'If no day is complete yet: the newest day. The header x-dataset-date names the day.',
    request: { params: datasetPath, query: query({}) },
    responses: { 200: followed, 302: redirect, ...problems(400, 404, 502, 503) },
  })

export const manifestRoute = createRoute({
  method: 'get',
  path: `/v1/datasets/{name}/{date}/${MANIFEST_FILE}`,
  operationId: 'getDatasetManifest',
  tags: ['datasets'],
  summary: 'Published manifest of a date',
  description: 'It lists the files with their sizes and sha256.',
  request: { params: datasetDatePath, query: query({}) },
  middleware: [etag()],
  responses: {
    200: json(DatasetManifest, 'The same bytes as in the object store, with an ETag.'),
    304: { description: 'Not modified: the ETag matches If-None-Match.' },
    ...problems(400, 404, 502, 503),
  },
})

const fileRoute = createRoute({
  method: 'get',
  path: '/v1/datasets/{name}/{date}/{file}',
  operationId: 'getDatasetFile',
  tags: ['datasets'],
  summary: 'One file of a date',
  description: 'A redirect to a signed URL of the object store, which serves ranges.',
  request: { params: datasetFilePath, query: query({}) },
  responses: { 200: followed, 302: redirect, ...problems(400, 404, 502, 503) },
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
          `latest.json of ${name} names ${latest.date}, but this date has no manifest.`,
          {
            hint: 'An operator must rebuild this date.',
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
