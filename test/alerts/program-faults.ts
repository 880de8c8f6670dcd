/** Faults of the gateway, and programs that hang. */
import { randomBytes } from 'node:crypto'
import { type Fault, stopped } from './fault.ts'

export const GATEWAY_FAULTS: readonly Fault[] = [
  {
    name: 'the gateway is called with a wrong secret',
    alerts: { GatewaySecretWrong: 0 },
    async inject(stack) {
      await fetch(`${stack.file.gateway_url}/sql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${randomBytes(16).toString('hex')}` },
        body: '{}',
      })
      return () => undefined
    },
  },
  {
    name: 'many slow queries at once',
    alerts: { GatewayBusy: 0, GatewaySlow: 10 },
    async inject(stack) {
      const flood = setInterval(() => {
        for (let i = 0; i < 80; i++) void stack.sql('select pg_sleep(3)')
      }, 3_000)
      return () => clearInterval(flood)
    },
  },
]

export const FROZEN_PROGRAMS: readonly Fault[] = [
  {
    name: 'the programs freeze',
    alerts: { IngestorDown: 20, JobsDown: 20, GatewayDown: 20, LiveDown: 20, ClustersDown: 20 },
    async inject(stack) {
      const ends = await Promise.all(
        [
          'ingestor/main.ts',
          'ingestor/live/main.ts',
          'jobs/main.ts',
          'jobs/clusters/main.ts',
          'edge-api/gateway/main.ts',
        ].map((entry) => stopped(entry)(stack)),
      )
      return () => {
        for (const end of ends) end()
      }
    },
  },
  {
    name: 'console and exporters freeze',
    alerts: { ConsoleDown: 20, PostgresExporterDown: 20, NodeExporterDown: 20 },
    async inject(stack) {
      const pids = [
        ...stack.pidsOf('infra/console/main.ts'),
        ...Object.values(stack.monitoring.exporters).map(({ pid }) => pid!),
      ]
      for (const pid of pids) process.kill(pid, 'SIGSTOP')
      return () => {
        for (const pid of pids) process.kill(pid, 'SIGCONT')
      }
    },
  },
]
