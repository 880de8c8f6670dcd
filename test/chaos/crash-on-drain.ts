/** Stands in for an ingestor that crashes when it is told to drain (limits.test.ts). */
process.on('message', () => {
  process.stderr.write('The writer has ended.\n')
  process.exit(3)
})
process.send?.({ type: 'ready' })
