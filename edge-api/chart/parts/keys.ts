/** The chart by keyboard. */
import type { Controller } from '../controller.ts'

const STEP = 0.1
const ZOOM = 1.2

export function onChartKey(controller: Controller, event: KeyboardEvent): void {
  const { stage } = controller
  if (event.ctrlKey || event.metaKey || event.altKey) return
  const actions: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => stage?.pan(-STEP),
    ArrowRight: () => stage?.pan(STEP),
    PageUp: () => stage?.pan(-1),
    PageDown: () => stage?.pan(1),
    ArrowUp: () => stage?.zoom(1 / ZOOM),
    ArrowDown: () => stage?.zoom(ZOOM),
    '+': () => stage?.zoom(1 / ZOOM),
    '-': () => stage?.zoom(ZOOM),
    End: () => controller.follow(),
  }
  const action = actions[event.key]
  if (action === undefined) return
  event.preventDefault()
  action()
}
