/**
 * Writes FlatBuffers, the encoding of Arrow's metadata, as far as Arrow needs them. A buffer is
 * built from its end to its start, so that every offset points to bytes already written.
 * https://flatbuffers.dev/internals
 */

/** A position in the buffer, in bytes from its end. */
export type Offset = number

/** A field of a table. An absent or zero field has the format's default. */
export type TableField =
  | { readonly slot: number; readonly int8: number }
  | { readonly slot: number; readonly int16: number }
  | { readonly slot: number; readonly int32: number }
  | { readonly slot: number; readonly int64: number }
  | { readonly slot: number; readonly offset: Offset }

export class FlatBufferBuilder {
  #bytes = new Uint8Array(1_024)
  #view = new DataView(this.#bytes.buffer)
  /** Bytes written, counted from the end. */
  #used = 0
  /** Tables of one shape share a vtable: the list of their field positions. */
  readonly #vtables = new Map<string, Offset>()

  string(text: string): Offset {
    const bytes = new TextEncoder().encode(text)
    // A terminating zero, which the length does not include.
    this.#align(4, bytes.length + 1)
    this.#used += 1
    this.#grow(bytes.length)
    this.#used += bytes.length
    this.#bytes.set(bytes, this.#bytes.length - this.#used)
    return this.#putInt32(bytes.length)
  }

  /** A vector of offsets to tables or strings. */
  offsets(offsets: readonly Offset[]): Offset {
    this.#align(4, offsets.length * 4)
    for (const offset of offsets.toReversed()) this.#putOffset(offset)
    return this.#putInt32(offsets.length)
  }

  /** A vector of structs, each of `per_struct` 64-bit numbers. */
  structs(values: readonly number[], per_struct: number): Offset {
    this.#align(8, values.length * 8)
    for (const value of values.toReversed()) this.#putInt64(value)
    return this.#putInt32(values.length / per_struct)
  }

  /** Writes the fields in the given order, starting at the buffer's end. */
  table(fields: readonly TableField[]): Offset {
    const places = new Map<number, Offset>()
    const end = this.#used
    for (const field of fields) {
      if (!isDefault(field)) places.set(field.slot, this.#putField(field))
    }
    const slot_count = Math.max(-1, ...places.keys()) + 1
    const table = this.#putInt32(0)
    const inside = Array.from({ length: slot_count }, (_, slot) => {
      const place = places.get(slot)
      return place === undefined ? 0 : table - place
    })
    const shape = [table - end, ...inside].join(' ')
    let vtable = this.#vtables.get(shape)
    if (vtable === undefined) {
      for (const place of inside.toReversed()) this.#putInt16(place)
      this.#putInt16(table - end)
      vtable = this.#putInt16((slot_count + 2) * 2)
      this.#vtables.set(shape, vtable)
    }
    this.#view.setInt32(this.#bytes.length - table, vtable - table, true)
    return table
  }

  /** The whole buffer, starting with its root; the length is a multiple of 8. */
  finish(root: Offset): Uint8Array<ArrayBuffer> {
    this.#align(8, 4)
    this.#putOffset(root)
    return this.#bytes.slice(this.#bytes.length - this.#used)
  }

  #putField(field: TableField): Offset {
    if ('int8' in field) return this.#putInt8(field.int8)
    if ('int16' in field) return this.#putInt16(field.int16)
    if ('int32' in field) return this.#putInt32(field.int32)
    return 'int64' in field ? this.#putInt64(field.int64) : this.#putOffset(field.offset)
  }

  #putInt8(value: number): Offset {
    const at = this.#claim(1)
    this.#view.setInt8(at, value)
    return this.#used
  }

  #putInt16(value: number): Offset {
    const at = this.#claim(2)
    this.#view.setInt16(at, value, true)
    return this.#used
  }

  #putInt32(value: number): Offset {
    const at = this.#claim(4)
    this.#view.setInt32(at, value, true)
    return this.#used
  }

  #putInt64(value: number): Offset {
    const at = this.#claim(8)
    this.#view.setBigInt64(at, BigInt(value), true)
    return this.#used
  }

  /** Offsets are relative to their own position. */
  #putOffset(offset: Offset): Offset {
    const at = this.#claim(4)
    this.#view.setInt32(at, this.#used - offset, true)
    return this.#used
  }

  /** May replace the view, so callers read `#view` after this call. */
  #claim(size: number): number {
    this.#align(size, 0)
    this.#grow(size)
    this.#used += size
    return this.#bytes.length - this.#used
  }

  /** Pads with zeros so that the position after `more` bytes is a multiple of `size`. */
  #align(size: number, more: number): void {
    const padding = -(this.#used + more) & (size - 1)
    this.#grow(padding + more)
    this.#used += padding
  }

  #grow(more: number): void {
    if (this.#used + more <= this.#bytes.length) return
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + more))
    bytes.set(this.#bytes, bytes.length - this.#bytes.length)
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer)
  }
}

function isDefault(field: TableField): boolean {
  if ('int8' in field) return field.int8 === 0
  if ('int16' in field) return field.int16 === 0
  if ('int32' in field) return field.int32 === 0
  return 'int64' in field && field.int64 === 0
}
