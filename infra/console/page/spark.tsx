/** A small line of the last hour, drawn by uPlot; the pointer reads its values. */
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'

export interface SparkProps {
  readonly label: string
  /** Seconds since 1970. */
  readonly times: readonly number[]
  readonly values: readonly (number | null)[]
  format(value: number): string
  readonly height?: number
  readonly has_axes?: boolean
}

const SPAN_S_MAX = 3_600
/** Shortest time that the x-axis spans, so that a new line is not a dash at the edge. */
const SPAN_S_MIN = 300

export function Spark({ label, times, values, format, height = 44, has_axes = false }: SparkProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const [read, setRead] = useState<string>()
  const latest = useRef(format)
  latest.current = format
  useEffect(() => {
    const parent = box.current!
    const colour = (name: string): string => getComputedStyle(parent).getPropertyValue(name).trim()
    const make = (): uPlot =>
      new uPlot(
        {
          width: Math.max(60, parent.clientWidth),
          height,
          pxAlign: false,
          legend: { show: false },
          cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false } },
          padding: has_axes ? [12, 8, 0, 0] : [4, 2, 2, 2],
          scales: {
            x: {
              time: true,
              range: (_u, min, max) => [
                max - Math.min(SPAN_S_MAX, Math.max(SPAN_S_MIN, max - min)),
                max,
              ],
            },
            y: { range: (_u, min, max) => [Math.min(0, min), Math.max(max * 1.1, 1)] },
          },
          axes: has_axes
            ? [
                {
                  stroke: colour('--muted'),
                  grid: { stroke: colour('--line'), width: 1 },
                  ticks: { show: false },
                  size: 26,
                  values: (_u, splits) =>
                    splits.map((at) => new Date(at * 1_000).toISOString().slice(11, 16)),
                },
                {
                  stroke: colour('--muted'),
                  grid: { stroke: colour('--line'), width: 1 },
                  ticks: { show: false },
                  size: 78,
                  values: (_u, splits) => splits.map((value) => latest.current(value)),
                },
              ]
            : [{ show: false }, { show: false }],
          series: [
            {},
            {
              stroke: colour('--accent'),
              fill: colour('--accent-soft'),
              width: 1.5,
              points: { show: false },
              spanGaps: false,
            },
          ],
          hooks: {
            setCursor: [
              (u) => {
                const { idx } = u.cursor
                const value = idx === null || idx === undefined ? null : u.data[1]?.[idx]
                const at = idx === null || idx === undefined ? undefined : u.data[0][idx]
                setRead(
                  value === null || value === undefined || at === undefined
                    ? undefined
                    : `${new Date(at * 1_000).toISOString().slice(11, 19)}  ${latest.current(value)}`,
                )
              },
            ],
          },
        },
        [[], []],
        parent,
      )
    plot.current = make()
    const fit = new ResizeObserver(() =>
      plot.current?.setSize({ width: Math.max(60, parent.clientWidth), height }),
    )
    fit.observe(parent)
    const recolour = new MutationObserver(() => {
      const { data } = plot.current!
      plot.current!.destroy()
      plot.current = make()
      plot.current.setData(data)
    })
    recolour.observe(document.documentElement, {
      attributes: true,
      attributeFilter: ['data-theme'],
    })
    return () => {
      fit.disconnect()
      recolour.disconnect()
      plot.current?.destroy()
    }
  }, [height, has_axes])
  useEffect(() => {
    plot.current?.setData([[...times], [...values]] as uPlot.AlignedData)
  }, [times, values])
  const known = values.filter((value) => value !== null)
  const range =
    known.length < 2
      ? 'The line begins.'
      : `${format(Math.min(...known))} to ${format(Math.max(...known))}`
  return (
    <figure class="spark">
      <div ref={box} role="img" aria-label={`${label}, last hour: ${range}`} />
      <figcaption>{read ?? range}</figcaption>
    </figure>
  )
}
