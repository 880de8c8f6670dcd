/**
 * Whether this is `npm run test:long`, which runs the files named *.long.test.ts, and those that
 * import this module with larger sizes than `npm test`.
 */
export const is_long = process.env['LONG_TESTS'] === '1'
