/** Free TCP ports on loopback. */
import { createServer } from 'node:net'
import { OperatorError } from '#core/errors.ts'

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return listenOnce(0)
}

/** Throws an OperatorError where somebody already listens on the port. */
export async function requirePort(port: number, purpose: string): Promise<number> {
  try {
    return await listenOnce(port)
  } catch (cause) {
    throw new OperatorError('port_taken', `Port ${port} for the ${purpose} is in use.`, {
      hint: 'Choose another --port-base, or leave it out to get free ports.',
      cause,
    })
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })
}
