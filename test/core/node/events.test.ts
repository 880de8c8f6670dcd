import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createEventHub, type EventHub } from '#core/node/door/events.ts'

const LOOKS_MS = 600

/** What a viewer has read so far. */
function watch(hub: EventHub): string[] {
  const read: string[] = []
  const reader = hub.open(new AbortController().signal)!.getReader()
  const follow = async (): Promise<void> => {
    for (let one = await reader.read(); !one.done; one = await reader.read()) {
      const data = /^data: (.*)$/m.exec(new TextDecoder().decode(one.value))?.[1]
      if (data !== undefined) read.push(JSON.parse(data) as string)
    }
  }
  void follow()
  return read
}

test('every viewer gets a change once, also if another comes at that moment', async () => {
  let state = 'live'
  const hub = createEventHub(
    () => state,
    () => state,
  )
  const first = watch(hub)
  await sleep(LOOKS_MS)
  expect(first).toEqual(['live'])
  state = 'paused'
  const second = watch(hub)
  await sleep(LOOKS_MS)
  expect(first).toEqual(['live', 'paused'])
  expect(second.every((seen) => seen === 'paused')).toBe(true)
  state = 'recording'
  hub.changed()
  await sleep(LOOKS_MS)
  expect(first).toEqual(['live', 'paused', 'recording'])
  hub.stop()
  expect(hub.viewer_count).toBe(0)
})
