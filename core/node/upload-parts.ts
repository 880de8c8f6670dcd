/**
 * Uploads a large file in parts: S3 takes at most 5 GB in one request, and a part that fails is
 * sent again alone. The object appears once all parts are there.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { sendFile } from './send-file.ts'

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

export async function uploadParts(s3: S3Client, upload: PartUpload): Promise<void> {
  const { bucket: Bucket, key: Key, bytes, part_bytes, content_type } = upload
  const begun = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key, ContentType: content_type }),
  )
  const of_upload = { Bucket, Key, UploadId: begun.UploadId! }
  try {
    const Parts = []
    for (let from = 0, PartNumber = 1; from < bytes; from += part_bytes, PartNumber++) {
      const span = { path: upload.path, from, to: Math.min(bytes, from + part_bytes) }
      const { ETag } = await sendFile(span, (Body, ContentLength) =>
        s3.send(new UploadPartCommand({ ...of_upload, PartNumber, Body, ContentLength })),
      )
      Parts.push({ PartNumber, ETag: ETag! })
    }
    await s3.send(new CompleteMultipartUploadCommand({ ...of_upload, MultipartUpload: { Parts } }))
  } catch (error) {
    // Parts of an upload that is neither completed nor aborted stay in the store, and cost.
    await s3.send(new AbortMultipartUploadCommand(of_upload)).catch(() => undefined)
    throw error
  }
}
