/**
 * The object store of jobs and the local stack: any S3. DigitalOcean Spaces (Ceph's gateway)
 * refuses aws-chunked bodies with 411. So checksums are sent only if required, and every body has a
 * known length.
 */
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { sendFile } from './send-file.ts'
import { uploadParts } from './upload-parts.ts'

export interface ObjectStoreConfig {
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  readonly access_key_id: string
  readonly secret_access_key: string
}

export interface ListedObject {
  readonly key: string
  readonly bytes: number
  /** Another content has another tag. */
  readonly etag: string
  /** Milliseconds since 1970. */
  readonly modified_ms: number
}

export interface ObjectStore {
  /** For opening the same store in another thread. Contains a secret. */
  readonly config: ObjectStoreConfig
  put(key: string, body: Uint8Array | string, content_type: string): Promise<void>
  /**
   * Adds an object under a key that has none. `exists`: there is one already, or another writer
   * was faster. `unsupported`: the store cannot decide that, and nothing is known of the object.
   */
  putIfAbsent(
    key: string,
    body: Uint8Array | string,
    content_type: string,
  ): Promise<'added' | 'exists' | 'unsupported'>
  /** Uploads a file from disk without holding it in memory; a large one in parts. */
  putFile(key: string, path: string, content_type: string): Promise<void>
  /** The object's bytes; undefined if it does not exist. */
  get(key: string): Promise<Uint8Array | undefined>
  /** The object as a stream; undefined if it does not exist. */
  read(key: string): Promise<Readable | undefined>
  /** Bytes [from, to) of the object, in one request; undefined if it does not exist. */
  readRange(key: string, from: number, to: number): Promise<Uint8Array | undefined>
  copy(from_key: string, to_key: string): Promise<void>
  delete(key: string): Promise<void>
  /** Every key under the prefix, in order. */
  list(prefix: string): Promise<readonly ListedObject[]>
  close(): void
}

/** S3 takes at most 5 GB in one request. */
const ONE_REQUEST_BYTES_MAX = 1024 * 1024 * 1024
const PART_BYTES = 64 * 1024 * 1024

const ignore = (): void => undefined
/** What fails is thrown; the client would print that it does not send a stream again. */
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore }

export interface UploadLimits {
  /** Files above it are uploaded in parts. */
  readonly one_request_bytes_max: number
  readonly part_bytes: number
}

export function createObjectStore(
  config: ObjectStoreConfig,
  { one_request_bytes_max, part_bytes }: UploadLimits = {
    one_request_bytes_max: ONE_REQUEST_BYTES_MAX,
    part_bytes: PART_BYTES,
  },
): ObjectStore {
  const Bucket = config.bucket
  const s3 = new S3Client({
    endpoint: config.endpoint,
    region: config.region,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    logger: SILENT,
    credentials: { accessKeyId: config.access_key_id, secretAccessKey: config.secret_access_key },
  })
  const open = async (input: { Key: string; Range?: string }): Promise<Readable | undefined> => {
    try {
      const answer = await s3.send(new GetObjectCommand({ Bucket, ...input }))
      return answer.Body as Readable
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined
      throw error
    }
  }
  const read = (Key: string): Promise<Readable | undefined> => open({ Key })
  return {
    config,
    read,
    async readRange(Key, from, to) {
      const stream = await open({ Key, Range: `bytes=${from}-${to - 1}` })
      return stream === undefined ? undefined : bytesOf(stream)
    },
    async put(Key, body, ContentType) {
      const Body = typeof body === 'string' ? Buffer.from(body) : body
      await s3.send(
        new PutObjectCommand({ Bucket, Key, Body, ContentType, ContentLength: Body.byteLength }),
      )
    },
    async putIfAbsent(Key, body, ContentType) {
      const Body = typeof body === 'string' ? Buffer.from(body) : body
      const ContentLength = Body.byteLength
      try {
        await s3.send(
          new PutObjectCommand({ Bucket, Key, Body, ContentType, ContentLength, IfNoneMatch: '*' }),
        )
        return 'added'
      } catch (error) {
        if (!(error instanceof S3ServiceException)) throw error
        const status = error.$metadata.httpStatusCode
        // 409: another conditional write of the key is under way.
        if (status === 412 || status === 409) return 'exists'
        if (status === 501) return 'unsupported'
        throw error
      }
    },
    async putFile(Key, path, ContentType) {
      const { size } = await stat(path)
      if (size > one_request_bytes_max) {
        const file = { bucket: Bucket, key: Key, path, bytes: size }
        return uploadParts(s3, { ...file, part_bytes, content_type: ContentType })
      }
      await sendFile({ path, from: 0, to: size }, (Body, ContentLength) =>
        s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentType, ContentLength })),
      )
    },
    async get(Key) {
      const stream = await read(Key)
      if (stream === undefined) return undefined
      const chunks: Uint8Array[] = []
      for await (const chunk of stream) chunks.push(chunk as Uint8Array)
      return Buffer.concat(chunks)
    },
    async copy(from_key, to_key) {
      const CopySource = `${Bucket}/${from_key.split('/').map(encodeURIComponent).join('/')}`
      await s3.send(new CopyObjectCommand({ Bucket, Key: to_key, CopySource }))
    },
    async delete(Key) {
      await s3.send(new DeleteObjectCommand({ Bucket, Key }))
    },
    async list(Prefix) {
      const found: ListedObject[] = []
      let ContinuationToken: string | undefined
      do {
        const page = await s3.send(
          new ListObjectsV2Command({
            Bucket,
            Prefix,
            ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
          }),
        )
        for (const item of page.Contents ?? []) {
          found.push({
            key: item.Key!,
            bytes: item.Size ?? 0,
            etag: item.ETag ?? '',
            modified_ms: item.LastModified?.getTime() ?? 0,
          })
        }
        ContinuationToken = page.NextContinuationToken
      } while (ContinuationToken !== undefined)
      return found
    },
    close: () => s3.destroy(),
  }
}

async function bytesOf(stream: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}
