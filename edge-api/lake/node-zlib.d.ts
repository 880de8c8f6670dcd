/** The part of node:zlib that the worker uses; @cloudflare/workers-types does not describe it. */
declare module 'node:zlib' {
  export function zstdDecompressSync(
    bytes: Uint8Array,
    options: { maxOutputLength: number },
  ): Uint8Array
  export function gunzipSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array
}
