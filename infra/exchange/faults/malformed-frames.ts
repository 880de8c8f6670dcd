/** Makes frames that are each malformed in one specific way. Pure. */

/** `at` in [0, 1) is the position of a raw control character, which every JSON parser refuses. */
export function corruptPayload(payload: string, at: number): string {
  const index = Math.floor(at * payload.length)
  return `${payload.slice(0, index)}\u0001${payload.slice(index + 1)}`
}

/** Ids and Deribit's times become 2^64 - 1, prices and quantities exceed the largest double. */
export function withIdsOutOfRange(payload: string): string {
  return payload
    .replaceAll(/"(u|U|pu|a|t|f|l|timestamp)":\d+/g, '"$1":18446744073709551615')
    .replaceAll(/"price":[\d.]+/g, '"price":9e999')
    .replaceAll(/"\d+\.?\d*"/g, '"9e999"')
}

export function withUnknownFields(payload: string): string {
  return `${payload.slice(0, -1)},"zz":{"nested":[1,"two",null]},"yy":-0.5}`
}

/** `prefix` is the start of a combined frame. Raw sockets get these frames with it, too. */
export function unknownTypeFrame(prefix: string, ts_ms: number): Buffer {
  return Buffer.from(`${prefix}{"e":"somethingNew","E":${ts_ms},"v":[]}}`)
}

export function hugeFrame(prefix: string, size_bytes: number): Buffer {
  const start = `${prefix}{"e":"somethingHuge","v":"`
  return Buffer.from(`${start}${'x'.repeat(Math.max(0, size_bytes - start.length - 3))}"}}`)
}

export function invalidUtf8Frame(prefix: string): Buffer {
  const start = Buffer.from(`${prefix}{"e":"`)
  return Buffer.concat([start, Buffer.from([0xff, 0xc0, 0x80]), Buffer.from('"}}')])
}
