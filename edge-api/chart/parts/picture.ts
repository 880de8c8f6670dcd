/** The chart as a PNG file, with what it shows in a line above it. */
import type { Controller } from '../controller.ts'
import { timeText } from '../draw/items.ts'

const LINE_PX = 30

export function savePicture({ stage, session }: Controller): void {
  const range = stage?.range()
  if (stage === undefined || session === undefined || range === undefined) return
  const chart = stage.picture()
  const ratio = devicePixelRatio
  const canvas = document.createElement('canvas')
  canvas.width = chart.width
  canvas.height = chart.height + LINE_PX * ratio
  const context = canvas.getContext('2d')!
  const style = getComputedStyle(document.documentElement)
  context.fillStyle = style.getPropertyValue('--bg')
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.drawImage(chart, 0, LINE_PX * ratio)
  const { exchange, symbol } = session.instrument
  const to = timeText(Math.min(range.to, session.end))
  context.fillStyle = style.getPropertyValue('--text')
  context.font = `${13 * ratio}px system-ui, 'DejaVu Sans', sans-serif`
  context.textBaseline = 'middle'
  const words = `${symbol} · ${exchange} · ${session.interval} · ${timeText(range.from)} to ${to} UTC · booktape`
  context.fillText(words, 10 * ratio, (LINE_PX / 2) * ratio)
  canvas.toBlob((blob) => {
    if (blob === null) return
    const link = document.createElement('a')
    link.href = URL.createObjectURL(blob)
    link.download = `${symbol}-${session.interval}-${to.replace(/[ :]/g, '-')}.png`
    link.click()
    // The download has begun by then.
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  }, 'image/png')
}
