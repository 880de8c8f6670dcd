import { expect, test } from 'vitest'
import { describeError } from '#core/errors.ts'

test('an unknown authority is told with the setting that names it', () => {
  const error = Object.assign(new Error('self-signed certificate in certificate chain'), {
    code: 'SELF_SIGNED_CERT_IN_CHAIN',
  })
  expect(describeError(error)).toContain('sslmode=verify-full&sslrootcert=/path/ca.crt')
})
