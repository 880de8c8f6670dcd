/** Free TCP ports on loopback. */
import { createServer, type Server } from 'node:net'
import { OperatorError } from '#core/errors.ts'

/** A port that was free just now. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port!
}

/**
 * Ports below those that systems give to outgoing connections (from 32768 on Linux). Above, a
 * connection of any program might take the port of one that is being restarted.
 */
const LOWEST = 10_240
const HIGHEST = 32_767

/** Distinct ports that were free just now: all stay open until the last is found. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere))
  const ports = servers.map(portOf)
  await Promise.all(servers.map(close))
  return ports
}

/** `count` ports from `base` upwards. Throws OperatorError `port_taken` if one is in use. */
export async function portsFrom(base: number, count: number): Promise<readonly number[]> {
  const ports = Array.from({ length: count }, (_, index) => base + index)
  for (const port of ports) {
    try {
      await close(await listen(port))
    } catch (cause) {
      const range = `${base} to ${base + count - 1}`
      throw new OperatorError('port_taken', `Port ${port} is in use (needed: ${range}).`, {
        hint: 'Choose another --port-base, or omit it to get free ports.',
        cause,
      })
    }
  }
  return ports
}

async function listenAnywhere(): Promise<Server> {
  for (let tries = 0; tries < 50; tries++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1))
    const server = await listen(port).catch(() => undefined)
    if (server !== undefined) return server
  }
  return listen(0)
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
