/** Draws a component again when the controller says that something changed. */
import { useEffect, useState } from 'preact/hooks'
import type { Controller } from '../controller.ts'

export function useChanges({ listeners }: Pick<Controller, 'listeners'>): void {
  const [, setTurn] = useState(0)
  useEffect(() => listeners.add(() => setTurn((turn) => turn + 1)), [listeners])
}
