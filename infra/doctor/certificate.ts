/** The certificate that the gateway shows. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { GatewayConfig } from '../../edge-api/gateway/config.ts'
import { attempt, type Check, failure, fine, warning } from './finding.ts'

const DAYS_MIN = 14

export function certificateCheck({
  cert_file,
  key_file,
}: NonNullable<GatewayConfig['tls']>): Check {
  const check = 'gateway.certificate'
  const advice = {
    expected: `a certificate that is valid for ${DAYS_MIN} days and more, and its key`,
    todo:
      'Renew it, correct TLS_CERT_FILE and TLS_KEY_FILE, and ' +
      'restart the gateway: it reads them at the start.',
  }
  return {
    check,
    run: () =>
      attempt(
        check,
        async () => {
          const certificate = new X509Certificate(await readFile(cert_file))
          await readFile(key_file)
          const days = Math.floor((Date.parse(certificate.validTo) - Date.now()) / 86_400_000)
          const found = `The certificate in ${cert_file} is valid until ${certificate.validTo}.`
          if (days < 0) return [failure(check, found, advice)]
          return [days < DAYS_MIN ? warning(check, found, advice) : fine(check, found)]
        },
        advice,
      ),
  }
}
