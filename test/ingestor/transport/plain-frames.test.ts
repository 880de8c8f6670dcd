/** Frames taken ahead of ws: the same messages, in the same order, as ws alone gives. */
import { PassThrough, type Writable } from 'node:stream'
import { expect, test } from 'vitest'
import * as ws from 'ws'
import { takePlainFrames } from '../../../ingestor/transport/plain-frames.ts'
import { createRandom } from '../../../infra/exchange/sim/random.ts'

const BYTES_MAX = 100_000

/** Of ws; its types do not name them. */
const { Receiver, Sender } = ws as unknown as {
  readonly Receiver: new (options: object) => Writable
  readonly Sender: { frame(payload: Buffer, options: object): Buffer[] }
}

type Said = readonly [kind: string, bytes: string]

/** What comes out if these pieces arrive one after another; `taken`: those that ws never saw. */
function receive(pieces: readonly Buffer[], is_plain: boolean): { said: Said[]; taken: number } {
  const receiver = new Receiver({ maxPayload: BYTES_MAX, skipUTF8Validation: true })
  const wire = new PassThrough()
  const said: Said[] = []
  let taken = 0
  const note = (kind: string, data: Buffer): void => void said.push([kind, data.toString('latin1')])
  receiver.on('message', (data: Buffer) => note('message', data))
  receiver.on('ping', (data: Buffer) => note('ping', data))
  receiver.on('pong', (data: Buffer) => note('pong', data))
  receiver.on('conclude', (code: number, data: Buffer) => note(`close ${code}`, data))
  receiver.on('error', () => undefined)
  wire.on('data', (chunk: Buffer) => void receiver.write(chunk))
  if (is_plain) {
    takePlainFrames(wire, BYTES_MAX, (text) => {
      taken++
      note('message', text)
    })
  }
  for (const piece of pieces) wire.emit('data', piece)
  return { said, taken }
}

function frame(opcode: number, payload: Buffer, fin = true): Buffer {
  const options = { opcode, fin, mask: false, readOnly: true, rsv1: false }
  return Buffer.concat(Sender.frame(payload, options))
}

function cut(bytes: Buffer, random: () => number): readonly Buffer[] {
  const pieces: Buffer[] = []
  const shortest = bytes.length / 3_000
  const longest = [3, 40, 700, 65_536].filter((one) => one > shortest)[Math.floor(random() * 2)]!
  for (let at = 0; at < bytes.length;) {
    const to = Math.min(bytes.length, at + 1 + Math.floor(random() * longest))
    pieces.push(bytes.subarray(at, to))
    at = to
  }
  return pieces
}

function randomFrames(random: () => number, bytes_max: number): Buffer {
  const payload = (max: number): Buffer =>
    Buffer.alloc(Math.floor(random() * max), String.fromCharCode(97 + Math.floor(random() * 26)))
  const sizes = [5, 125, 130, 400, 66_000].filter((one) => one <= bytes_max)
  const size = (): number => sizes[Math.floor(random() * sizes.length)]!
  const frames: Buffer[] = []
  for (let n = 0; n < 30; n++) {
    const roll = random()
    if (roll < 0.75) frames.push(frame(1, payload(size())))
    else if (roll < 0.8) frames.push(frame(2, payload(300)))
    else if (roll < 0.87) frames.push(frame(9, payload(125)))
    else if (roll < 0.9) frames.push(frame(10, payload(125)))
    else {
      frames.push(frame(1, payload(300), false), frame(9, payload(20)), frame(0, payload(300)))
    }
  }
  return Buffer.concat(frames)
}

const ENDS: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['a close', frame(8, Buffer.from([0x03, 0xe8]))],
  ['a reserved opcode', Buffer.from([0x83, 1, 97])],
  ['a reserved bit', Buffer.from([0xc1, 1, 97])],
  ['a masked frame', Buffer.from([0x81, 0x81, 1, 2, 3, 4, 97])],
  ['a frame above the limit', frame(1, Buffer.alloc(BYTES_MAX + 1, 'x'))],
  ['a text inside a fragmented message', Buffer.concat([frame(1, Buffer.from('a'), false)])],
]

for (const [name, end] of ENDS) {
  test(`any pieces of any frames, then ${name}: what ws alone gives`, () => {
    const random = createRandom(18)
    let taken_count = 0
    for (let round = 0; round < 24; round++) {
      const frames = randomFrames(random, round % 6 === 0 ? 66_000 : 400)
      // After an end, ws ignores what follows.
      const bytes = Buffer.concat([frames, end, frame(1, Buffer.from('after'))])
      const expected = receive([bytes], false).said
      const { said, taken } = receive(cut(bytes, random), true)
      expect(said).toEqual(expected)
      taken_count += taken
    }
    expect(taken_count).toBeGreaterThan(40)
  })
}

test('a read of whole text frames never reaches ws', () => {
  const frames = Array.from({ length: 300 }, (_, n) => frame(1, Buffer.alloc(n, 'x')))
  const { said, taken } = receive([Buffer.concat(frames)], true)
  expect([said.length, taken]).toEqual([300, 300])
})
