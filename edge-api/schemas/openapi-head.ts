/** Title, introduction and tags of the OpenAPI document. */
import { TIME_RULE } from './time-parameter.ts'

export const OPENAPI_HEAD = {
  openapi: '3.1.0',
  info: {
    title: 'booktape',
    version: '1',
    license: { name: 'All rights reserved', identifier: 'LicenseRef-UNLICENSED' },
    description: [
      'Recorded market data: quotes, trades, order books, known gaps, and datasets to download.',
      `**Times** in parameters are ${TIME_RULE}. A range includes \`from\` and excludes \`to\`. ` +
        'Times in answers are ISO 8601 in UTC with six fractional digits.',
      '**Prices and quantities** are decimal strings with as many decimals as the exchange uses, ' +
        'so no digit is lost. Ids and counts are JSON numbers.',
      '**Pages**: `next` is the path of the next page, or null. Paging is stable: rows that ' +
        'arrive between two requests cause no duplicates and no omissions.',
      '**Tokens**: `Authorization: Bearer <token>`. Market data needs the scope `read`; dataset ' +
        'files and their URLs need `datasets`; job runs and validation need `ops`. An installation can make ' +
        'scopes public.',
      '**Formats**: ranges come as JSON, NDJSON, CSV or an Arrow stream. Choose one with ' +
        '`format=` or the Accept header. In every format the Link header names the next page. In ' +
        'Arrow, prices and quantities are doubles.',
      '**Caching**: Cache-Control says how long an answer may be cached. Send its ETag in ' +
        'If-None-Match to check whether it changed. An archived hour and its ETag change when ' +
        'late rows are added to it.',
      '**Errors** are RFC 9457 problem documents (application/problem+json). Unknown parameters ' +
        'are errors too.',
    ].join('\n\n'),
  },
  servers: [{ url: '/', description: 'The server of this document.' }],
  security: [{ token: [] }, {}],
  tags: [
    { name: 'market data', description: 'Recorded data, and the gaps in it.' },
    {
      name: 'index prices',
      description:
        'Values of price indexes, in the format of the price tracker: times in milliseconds, ' +
        'prices as JSON numbers, status 422 for wrong parameters.',
    },
    {
      name: 'collector',
      description:
        'Books and symbols in the format of the order book collector: times in seconds, levels ' +
        'as objects.',
    },
    { name: 'datasets', description: 'Files per UTC day, with manifests and signed URLs.' },
    { name: 'service', description: 'Health and job runs of this service.' },
  ],
}
