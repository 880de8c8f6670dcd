/** A program in place of an ingestor that crashes on `drain` (limits.test.ts). */
process.on('message', () => {
  process.stderr.write('The writer has ended.\n')
  process.exit(3)
})
process.send?.({ type: 'ready' })
