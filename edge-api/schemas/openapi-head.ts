/** What the OpenAPI document says before its paths. */
import { TIME_RULE } from './time-parameter.ts'

export const OPENAPI_HEAD = {
  openapi: '3.1.0',
  info: {
    title: 'booktape',
    version: '1',
    description: [
      'Market data as it was recorded: quotes, trades, the holes we know of, and datasets to download.',
      `**Times** in parameters are ${TIME_RULE}. A range holds \`from\` and ends before \`to\`. Times in answers are ISO 8601 in UTC with six digits.`,
      "**Prices and quantities** are decimal text with the exchange's own decimals, so that no digit is lost; ids and counts are JSON numbers.",
      '**Pages**: `next` is the path of the next page, or null. Rows that arrive meanwhile neither repeat nor shift what follows.',
      '**Tokens**: `Authorization: Bearer <token>`. Market data needs the scope `read`, files of datasets and their URLs `datasets`, job runs `ops`; an installation may leave some of them open.',
      '**Forms**: ranges come as JSON, NDJSON, CSV or an Arrow stream, by `format=` or the Accept ' +
        'header; the Link header names the next page in each. Arrow has doubles for decimals.',
      '**Keeping**: Cache-Control says how long an answer may be kept, ETag with If-None-Match ' +
        'whether it changed. Hours that are archived change when rows come late, and their ETag then.',
      '**Errors** are RFC 9457 problem documents (application/problem+json); an unknown parameter is an error too.',
    ].join('\n\n'),
  },
  security: [{ token: [] }, {}],
  tags: [
    { name: 'market data', description: 'What the exchanges sent, and what we missed.' },
    {
      name: 'index prices',
      description:
        'Values of price indexes, in the form of the price tracker: times in milliseconds, prices as JSON numbers, wrong parameters as a 422.',
    },
    {
      name: 'collector',
      description:
        'Books and symbols in the form of the order book collector: times in seconds, levels as objects.',
    },
    { name: 'datasets', description: 'Files of a UTC day, with manifests and signed URLs.' },
    { name: 'service', description: 'The state of this service.' },
  ],
}
