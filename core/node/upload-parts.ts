/**
 * Uploads a large file in parts: S3 takes at most 5 GB in one request, and a part that fails is
 * sent again alone. The object appears once all parts are there.
 */
import { createReadStream } from 'node:fs'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'

export interface PartUpload {
  readonly bucket: string
  readonly key: string
  readonly path: string
  /** Of the file. */
  readonly bytes: number
  /** Of each part but the last: at least 5 MiB, and at most 10,000 parts in all. */
  readonly part_bytes: number
  readonly content_type: string
}

/** How often a part is sent before the upload fails. */
const TRIES = 3

export async function uploadParts(s3: S3Client, upload: PartUpload): Promise<void> {
  const { bucket: Bucket, key: Key, bytes, part_bytes, content_type } = upload
  const begun = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key, ContentType: content_type }),
  )
  const of_upload = { Bucket, Key, UploadId: begun.UploadId! }
  try {
    const Parts = []
    for (let from = 0, PartNumber = 1; from < bytes; from += part_bytes, PartNumber++) {
      const span = { from, to: Math.min(bytes, from + part_bytes) }
      const ETag = await sendPart(s3, { ...of_upload, PartNumber }, upload.path, span)
      Parts.push({ PartNumber, ETag })
    }
    await s3.send(new CompleteMultipartUploadCommand({ ...of_upload, MultipartUpload: { Parts } }))
  } catch (error) {
    // Parts of an upload that is neither completed nor aborted stay in the store, and cost.
    await s3.send(new AbortMultipartUploadCommand(of_upload)).catch(() => undefined)
    throw error
  }
}

interface Part {
  readonly Bucket: string
  readonly Key: string
  readonly UploadId: string
  readonly PartNumber: number
}

async function sendPart(
  s3: S3Client,
  part: Part,
  path: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<string> {
  for (let tries = 1; ; tries++) {
    // A stream cannot be sent twice, so the client's own retries do not help.
    const Body = createReadStream(path, { start: from, end: to - 1 })
    try {
      const { ETag } = await s3.send(
        new UploadPartCommand({ ...part, Body, ContentLength: to - from }),
      )
      return ETag!
    } catch (error) {
      if (tries === TRIES) throw error
    } finally {
      Body.destroy()
    }
  }
}
