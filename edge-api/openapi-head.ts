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
      '**Errors** are RFC 9457 problem documents (application/problem+json); an unknown parameter is an error too.',
    ].join('\n\n'),
  },
  tags: [
    { name: 'market data', description: 'What the exchanges sent, and what we missed.' },
    { name: 'datasets', description: 'Files of a UTC day, with manifests and signed URLs.' },
    { name: 'service', description: 'The state of this service.' },
  ],
}
