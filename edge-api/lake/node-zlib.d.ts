/** Types for the part of node:zlib that the worker uses; @cloudflare/workers-types lacks them. */
declare module 'node:zlib' {
  export function zstdDecompressSync(
    bytes: Uint8Array,
    options: { maxOutputLength: number },
  ): Uint8Array
  export function gunzipSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array

  export interface Unpacker extends AsyncIterable<Uint8Array> {
    write(bytes: Uint8Array, done: (error?: Error | null) => void): void
    end(): void
    destroy(error?: Error): void
  }
  export function createZstdDecompress(options: { chunkSize: number }): Unpacker
  export function createGunzip(options: { chunkSize: number }): Unpacker
}
