/**
 * The secret that backups are encrypted with: a passphrase, or the content of a key file. Both go
 * through scrypt, with a salt of each backup's own.
 */
import { createHmac, hkdfSync, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { OperatorError } from '#core/errors.ts'

/** How a manifest says that its parts are encrypted. Contains nothing secret. */
export interface Encryption {
  readonly cipher: 'aes-256-gcm'
  readonly kdf: 'scrypt'
  /** Hex. */
  readonly salt: string
  readonly scrypt: { readonly N: number; readonly r: number; readonly p: number }
  /** Tells a wrong key from a damaged file: an HMAC of a constant, hex. */
  readonly check: string
}

/** The keys of one backup. */
export interface BackupKeys {
  readonly encryption: Encryption
  /** AES-256 key of one object. No two objects of a backup share one. */
  keyOf(object_key: string): Buffer
  /** Hex; proves that the text's author had the secret. */
  sign(text: string): string
}

/** 64 MB and about 0.1 s. */
const SCRYPT = { N: 2 ** 16, r: 8, p: 1 }
const SCRYPT_MEMORY_BYTES = 256 * 1024 * 1024
const SALT_BYTES = 16
const KEY_BYTES = 32
/** A shorter secret can be guessed. */
export const SECRET_BYTES_MIN = 16

/** Reads a key file; a line end after the key does not count. Throws `bad_backup_key`. */
export function readKeyFile(path: string): Buffer {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    const message = `The key file ${path} cannot be read: ${(cause as Error).message}.`
    throw new OperatorError('bad_backup_key', message, { cause })
  }
  let end = bytes.length
  while (end > 0 && (bytes[end - 1] === 10 || bytes[end - 1] === 13)) end--
  if (end < SECRET_BYTES_MIN) {
    const message = `The key file ${path} has ${end} bytes, expected at least ${SECRET_BYTES_MIN}.`
    throw new OperatorError('bad_backup_key', message, {
      hint: `Make one with: openssl rand -base64 32 > ${path}`,
    })
  }
  return bytes.subarray(0, end)
}

/** Keys for a new backup. */
export function newKeys(secret: Buffer): BackupKeys {
  return deriveKeys(secret, randomBytes(SALT_BYTES).toString('hex'), SCRYPT)
}

/** Keys of an existing backup. Throws `backup_wrong_key` if the secret is another one. */
export function openKeys(secret: Buffer | undefined, encryption: Encryption): BackupKeys {
  if (secret === undefined) {
    throw new OperatorError('backup_needs_key', 'The backup is encrypted, and no key was given.', {
      hint: 'Set BACKUP_KEY_FILE or BACKUP_PASSPHRASE to the one it was made with.',
    })
  }
  const keys = deriveKeys(secret, encryption.salt, encryption.scrypt)
  const [found, expected] = [keys.encryption.check, encryption.check].map((hex) =>
    Buffer.from(hex, 'hex'),
  )
  if (found!.length === expected!.length && timingSafeEqual(found!, expected!)) return keys
  throw new OperatorError('backup_wrong_key', 'The backup was encrypted with another key.', {
    hint: 'Give the key file or passphrase that was in use when the backup was made.',
  })
}

function deriveKeys(secret: Buffer, salt: string, scrypt: Encryption['scrypt']): BackupKeys {
  const salt_bytes = Buffer.from(salt, 'hex')
  const options = { ...scrypt, maxmem: SCRYPT_MEMORY_BYTES }
  const master = scryptSync(secret, salt_bytes, KEY_BYTES, options)
  const derive = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', master, salt_bytes, `booktape backup: ${purpose}`, KEY_BYTES))
  const mac_key = derive('manifest')
  const sign = (text: string): string => createHmac('sha256', mac_key).update(text).digest('hex')
  const check = sign('This is the right key.')
  return {
    encryption: { cipher: 'aes-256-gcm', kdf: 'scrypt', salt, scrypt, check },
    keyOf: (object_key) => derive(`object ${object_key}`),
    sign,
  }
}
