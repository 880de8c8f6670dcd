/** System overview: the machine, and the processes of booktape on it. */
import { chosen, type DashboardSpec, figure, lines, rate } from './panel.ts'

const DISK = 'fstype!~"tmpfs|ramfs|squashfs|iso9660"'
const NETWORK = 'device!="lo"'

export const SYSTEM: DashboardSpec = {
  name: 'booktape-system',
  title: 'booktape / System',
  description: 'Is everything up, and does the machine have room: CPU, memory, disk, network.',
  chosen_from: 'up',
  rows: [
    {
      title: 'Programs',
      panels: [
        figure(
          'Programs that answer',
          { unit: 'short', description: 'Targets whose last scrape worked. All should.' },
          `sum(${chosen('up')})`,
        ),
        figure(
          'Programs that do not answer',
          { unit: 'short', description: 'Usual: 0. The runbook has an alert for each.', limit: 1 },
          `count(${chosen('up')} == 0) or vector(0)`,
        ),
        lines(
          'Scrapes that worked',
          { unit: 'short', description: '1: the program answered Prometheus. 0: it did not.' },
          [chosen('up'), '{{job}} {{instance}}'],
        ),
        lines(
          'Uptime',
          { unit: 's', description: 'Since the start of each process. A fall is a restart.' },
          [`time() - ${chosen('process_start_time_seconds')}`, '{{job}} {{instance}}'],
        ),
        lines(
          'CPU of programs',
          { unit: 'percentunit', description: 'Of one core. The ingestor has two busy threads.' },
          [rate('process_cpu_seconds_total'), '{{job}} {{instance}}'],
        ),
        lines(
          'Memory of programs',
          { unit: 'bytes', description: 'Resident memory. It should be flat over days.' },
          [chosen('process_resident_memory_bytes'), '{{job}} {{instance}}'],
        ),
        lines(
          'Event loop lag',
          { unit: 's', description: 'p99 of the delay of timers. Above 0.1 s a program is busy.' },
          [chosen('nodejs_eventloop_lag_p99_seconds'), '{{job}} {{instance}}'],
        ),
        lines(
          'Open files',
          { unit: 'percentunit', description: 'Share of the limit of each process.', limit: 0.8 },
          [`${chosen('process_open_fds')} / ${chosen('process_max_fds')}`, '{{job}} {{instance}}'],
        ),
      ],
    },
    {
      title: 'Machine',
      panels: [
        lines(
          'CPU of the machine',
          { unit: 'percentunit', description: 'Share of time that cores were not idle.' },
          [
            `1 - avg by (instance) (${rate('node_cpu_seconds_total', 'mode="idle"')})`,
            '{{instance}}',
          ],
        ),
        lines(
          'Memory of the machine',
          { unit: 'percentunit', description: 'Share that is not available.', limit: 0.9 },
          [
            `1 - ${chosen('node_memory_MemAvailable_bytes')} / ${chosen('node_memory_MemTotal_bytes')}`,
            '{{instance}}',
          ],
        ),
        lines(
          'Disk space left',
          { unit: 'bytes', description: 'By file system. The tape and Postgres need it.' },
          [chosen('node_filesystem_avail_bytes', DISK), '{{mountpoint}}'],
        ),
        lines(
          'Disk space used',
          { unit: 'percentunit', description: 'Share of each file system.', limit: 0.95 },
          [
            `1 - ${chosen('node_filesystem_avail_bytes', DISK)} / ${chosen('node_filesystem_size_bytes', DISK)}`,
            '{{mountpoint}}',
          ],
        ),
        lines(
          'Disk writes',
          { unit: 'Bps', description: 'By device. The tape writes each frame once.' },
          [rate('node_disk_written_bytes_total'), '{{device}}'],
        ),
        lines(
          'Network',
          { unit: 'Bps', description: 'Received and sent, without loopback.' },
          [rate('node_network_receive_bytes_total', NETWORK), '{{device}} received'],
          [rate('node_network_transmit_bytes_total', NETWORK), '{{device}} sent'],
        ),
        lines(
          'Load',
          { unit: 'short', description: 'Processes that run or wait for a core or a disk.' },
          [chosen('node_load1'), '{{instance}}'],
        ),
      ],
    },
  ],
}
