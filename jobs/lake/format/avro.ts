/**
 * Avro object container files, as far as Iceberg's manifests need them: records of a given schema
 * in one deflated block. Source: the Avro 1.12 specification. Longs are numbers here; a value that
 * a double cannot hold exactly is an error.
 */
import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { OperatorError } from '#core/errors.ts'

export type AvroType =
  | 'null'
  | 'boolean'
  | 'int'
  | 'long'
  | 'string'
  | 'bytes'
  | AvroRecord
  | AvroArray
  | AvroDate
  | readonly ['null', AvroType]

export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly fields: readonly AvroField[]
}

export interface AvroField {
  readonly name: string
  readonly type: AvroType
  readonly default?: null
  readonly 'field-id': number
}

export interface AvroArray {
  readonly type: 'array'
  readonly items: AvroType
  readonly logicalType?: 'map'
  readonly 'element-id'?: number
}

/** Days since 1970. */
export interface AvroDate {
  readonly type: 'int'
  readonly logicalType: 'date'
}

export type AvroValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly AvroValue[]
  | { readonly [name: string]: AvroValue }

const MAGIC = Buffer.from('Obj\u0001')
const SYNC_BYTES = 16
/** Twice this number is exact too, which zigzag needs. */
const LONG_MAX = 2 ** 52
/** Avro's deflate is the raw one, without zlib's header and sum. */
const CODEC = 'deflate'

/** The same records give the same bytes: the sync marker is a digest of them. */
export function encodeAvro(
  schema: AvroRecord,
  metadata: Readonly<Record<string, string>>,
  records: readonly AvroValue[],
): Buffer {
  const body = new AvroWriter()
  for (const record of records) body.write(schema, record)
  const block = deflateRawSync(body.taken())
  const sync = createHash('sha256').update(block).digest().subarray(0, SYNC_BYTES)
  const out = new AvroWriter()
  out.raw(MAGIC)
  const pairs = { 'avro.schema': JSON.stringify(schema), 'avro.codec': CODEC, ...metadata }
  out.long(Object.keys(pairs).length)
  for (const [name, value] of Object.entries(pairs)) {
    out.text(name)
    out.text(value)
  }
  out.long(0)
  out.raw(sync)
  if (records.length > 0) {
    out.long(records.length)
    out.long(block.length)
    out.raw(block)
    out.raw(sync)
  }
  return out.taken()
}

/** Reads what encodeAvro has written, with the schema of the file. */
export function decodeAvro(bytes: Uint8Array): readonly AvroValue[] {
  const reader = new AvroReader(bytes)
  if (!reader.raw(MAGIC.length).equals(MAGIC)) throw damaged('it is not an Avro file')
  const metadata = new Map<string, string>()
  for (let count = reader.long(); count !== 0; count = reader.long()) {
    for (let i = 0; i < count; i++) {
      const name = reader.text()
      metadata.set(name, reader.text())
    }
  }
  if (metadata.get('avro.codec') !== CODEC) throw damaged(`its codec is not ${CODEC}`)
  const schema = JSON.parse(metadata.get('avro.schema')!) as AvroRecord
  const sync = reader.raw(SYNC_BYTES)
  const records: AvroValue[] = []
  while (!reader.is_done) {
    const count = reader.long()
    const block = new AvroReader(inflateRawSync(reader.raw(reader.long())))
    if (!reader.raw(SYNC_BYTES).equals(sync)) throw damaged('a block does not end where it should')
    for (let i = 0; i < count; i++) records.push(block.read(schema))
  }
  return records
}

class AvroWriter {
  #bytes = Buffer.alloc(4_096)
  #at = 0

  write(type: AvroType, value: AvroValue): void {
    if (typeof type === 'string') return this.#primitive(type, value)
    if (isUnion(type)) {
      this.long(value === null ? 0 : 1)
      if (value !== null) this.write(type[1], value)
      return
    }
    switch (type.type) {
      case 'int':
        return this.long(value as number)
      case 'array': {
        const items = value as readonly AvroValue[]
        if (items.length > 0) this.long(items.length)
        for (const item of items) this.write(type.items, item)
        return this.long(0)
      }
      case 'record':
        for (const { name, type: of_field } of type.fields) {
          const of_name = (value as Readonly<Record<string, AvroValue>>)[name]
          if (of_name === undefined) throw new TypeError(`A record has no ${name}.`)
          this.write(of_field, of_name)
        }
    }
  }

  #primitive(type: Extract<AvroType, string>, value: AvroValue): void {
    switch (type) {
      case 'null':
        return
      case 'boolean':
        return this.raw(Buffer.of(value === true ? 1 : 0))
      case 'int':
      case 'long':
        return this.long(value as number)
      case 'string':
        return this.text(value as string)
      case 'bytes': {
        const bytes = value as Uint8Array
        this.long(bytes.length)
        return this.raw(bytes)
      }
    }
  }

  /** Zigzag, then groups of seven bits, the lowest first. */
  long(value: number): void {
    if (!(Number.isInteger(value) && Math.abs(value) <= LONG_MAX)) {
      throw new RangeError(`Not a whole number up to 2^52: ${value}.`)
    }
    this.#reserve(10)
    let rest = value < 0 ? -value * 2 - 1 : value * 2
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) + 128
    this.#bytes[this.#at++] = rest
  }

  text(value: string): void {
    const bytes = Buffer.from(value)
    this.long(bytes.length)
    this.raw(bytes)
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  taken(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  #reserve(byte_count: number): void {
    if (this.#at + byte_count <= this.#bytes.length) return
    const grown = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#at + byte_count))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
  }
}

class AvroReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get is_done(): boolean {
    return this.#at >= this.#bytes.length
  }

  read(type: AvroType): AvroValue {
    if (typeof type === 'string') return this.#primitive(type)
    if (isUnion(type)) return this.long() === 0 ? null : this.read(type[1])
    switch (type.type) {
      case 'int':
        return this.long()
      case 'array': {
        const items: AvroValue[] = []
        for (let count = this.long(); count !== 0; count = this.long()) {
          for (let i = 0; i < count; i++) items.push(this.read(type.items))
        }
        return items
      }
      case 'record': {
        const record: Record<string, AvroValue> = {}
        for (const field of type.fields) record[field.name] = this.read(field.type)
        return record
      }
    }
  }

  #primitive(type: Extract<AvroType, string>): AvroValue {
    switch (type) {
      case 'null':
        return null
      case 'boolean':
        return this.raw(1)[0] === 1
      case 'int':
      case 'long':
        return this.long()
      case 'string':
        return this.text()
      case 'bytes':
        return this.raw(this.long())
    }
  }

  long(): number {
    let [value, scale] = [0, 1]
    for (;;) {
      const byte = this.raw(1)[0]!
      value += (byte & 127) * scale
      if (byte < 128) break
      scale *= 128
    }
    const half = Math.floor(value / 2)
    if (half > LONG_MAX) throw damaged('a number is too large')
    return value % 2 === 0 ? half : -half - 1
  }

  text(): string {
    return this.raw(this.long()).toString('utf8')
  }

  raw(byte_count: number): Buffer {
    const to = this.#at + byte_count
    if (byte_count < 0 || to > this.#bytes.length) throw damaged('it ends too early')
    const bytes = this.#bytes.subarray(this.#at, to)
    this.#at = to
    return bytes
  }
}

function isUnion(type: Exclude<AvroType, string>): type is readonly ['null', AvroType] {
  return Array.isArray(type)
}

function damaged(found: string): OperatorError {
  return new OperatorError('lake_damaged', `A manifest cannot be read: ${found}.`, {
    hint: '`npx booktape lake rebuild` writes the metadata of a table anew.',
  })
}
