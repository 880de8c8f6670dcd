/**
 * Constants of binary COPY: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
 * A row is an int16 field count, then for each field an int32 length (-1: null) and the bytes.
 */

export const COPY_SIGNATURE: Buffer = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
/** Signature, flags and header extension: precedes the rows. */
export const COPY_HEADER: Buffer = Buffer.concat([COPY_SIGNATURE, Buffer.alloc(8)])
/** Follows the rows: a field count of -1. */
export const COPY_TRAILER: Buffer = Buffer.from([0xff, 0xff])

/** Microseconds from 1970 to 2000-01-01T00:00:00Z, the zero of Postgres timestamps. */
export const POSTGRES_EPOCH_US = 946_684_800_000_000

export const ROW_HEAD_BYTES = 2
export const LENGTH_BYTES = 4
/** A length and an eight-byte value. */
export const NUMBER_BYTES = LENGTH_BYTES + 8
/** Array header: dimension count, null flag and element type. */
export const ARRAY_HEAD_BYTES = 12
/** Size and lower bound of one dimension. */
export const DIMENSION_BYTES = 8
