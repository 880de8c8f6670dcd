import { expect, test } from 'vitest'
import { describeError } from '#core/errors.ts'

test('the message about an unknown authority has the setting that fixes it', () => {
  const error = Object.assign(new Error('self-signed certificate in certificate chain'), {
    code: 'SELF_SIGNED_CERT_IN_CHAIN',
  })
  expect(describeError(error)).toContain('sslmode=verify-full&sslrootcert=/path/ca.crt')
})
