/** `npx booktape token create|revoke`: access tokens of the edge API. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { OperatorError } from '#core/errors.ts'
import { fromMillis } from '#core/time.ts'
import { mintToken, SCOPES, TOKEN_DAYS_MAX, type Scope } from '#core/access-token.ts'
import { readSecrets } from '../local/data-dir.ts'
import { appendRevoked } from '../local/revoked-tokens.ts'
import { runWrangler } from '../local/wrangler.ts'
import { wholeNumber } from './options.ts'

interface CreateFlags {
  readonly scope: readonly Scope[]
  readonly days: number
  readonly dataDir?: string
}

interface RevokeFlags {
  readonly dataDir?: string
  readonly env?: string
  readonly persistTo?: string
}

const DATA_DIR = '.data'
const DAY_S = 86_400

export function tokenCommand(): Command {
  return new Command('token')
    .description('create and revoke access tokens of the edge API')
    .addCommand(createCommand())
    .addCommand(revokeCommand())
}

function createCommand(): Command {
  return new Command('create')
    .description('create a token and print it; its id, scopes and expiry go to stderr')
    .requiredOption('--scope <scopes>', `comma-separated scopes: ${SCOPES.join(', ')}`, scopes)
    .option('--days <days>', 'days until it expires', wholeNumber(1, TOKEN_DAYS_MAX), 30)
    .option(
      '--data-dir <dir>',
      `sign with the secret of this stack (default: TOKEN_SECRET, else the stack in ${DATA_DIR})`,
    )
    .allowExcessArguments(false)
    .action(async (flags: CreateFlags) => {
      const secret = secretOf(flags.dataDir, process.env['TOKEN_SECRET'])
      const { text, payload } = await mintToken(
        secret,
        flags.scope,
        flags.days,
        fromMillis(Date.now()),
      )
      const until = new Date(payload.expires_at * 1_000).toISOString()
      process.stderr.write(`Token ${payload.id}: ${payload.scopes.join(', ')}, until ${until}.\n`)
      process.stdout.write(`${text}\n`)
    })
}

function revokeCommand(): Command {
  return new Command('revoke')
    .description('revoke a token, by the id that `create` printed')
    .argument('<id>', 'id of the token', tokenId)
    .addOption(
      new Option('--data-dir <dir>', `a local stack (default: ${DATA_DIR})`).conflicts('env'),
    )
    .option('--env <name>', 'a worker on Cloudflare: an environment in edge-api/wrangler.jsonc')
    .addOption(
      new Option('--persist-to <dir>', "wrangler's local state instead of Cloudflare").hideHelp(),
    )
    .allowExcessArguments(false)
    .action(async (id: string, flags: RevokeFlags) => {
      if (flags.env === undefined) {
        revokeHere(flags.dataDir ?? DATA_DIR, id)
      } else {
        await runWrangler(revokeArguments(id, flags.env, flags.persistTo))
      }
      process.stdout.write(
        `Token ${id} is revoked. All edge locations refuse it within a minute.\n`,
      )
    })
}

/** The secret of --data-dir if given, else TOKEN_SECRET, else the secret of the default folder. */
function secretOf(data_dir: string | undefined, from_environment: string | undefined): string {
  if (data_dir === undefined && from_environment !== undefined) return from_environment
  return readSecrets(data_dir ?? DATA_DIR).token_secret
}

function revokeHere(data_dir: string, id: string): void {
  if (!existsSync(join(data_dir, 'secrets.json'))) {
    throw new OperatorError('no_stack', `${data_dir} is not the folder of a local stack.`, {
      hint: 'Give the folder with --data-dir, or a worker on Cloudflare with --env.',
    })
  }
  appendRevoked(join(data_dir, 'revoked-tokens'), id)
}

/** The KV entry expires after the longest possible lifetime of a token. */
function revokeArguments(id: string, env: string, persist_dir: string | undefined): string[] {
  const where = persist_dir === undefined ? ['--remote'] : ['--local', '--persist-to', persist_dir]
  const ttl_s = String(TOKEN_DAYS_MAX * DAY_S)
  const put = ['kv', 'key', 'put', id, 'revoked', '--ttl', ttl_s]
  return [...put, '--binding', 'REVOKED_TOKENS', '--env', env, ...where]
}

function scopes(text: string): readonly Scope[] {
  const wanted = text.split(',').map((part) => part.trim())
  const known = SCOPES.filter((scope) => wanted.includes(scope))
  if (wanted.length === known.length) return known
  throw new InvalidArgumentError(`Expected comma-separated scopes: ${SCOPES.join(', ')}.`)
}

function tokenId(text: string): string {
  if (/^[a-z0-9]{16,32}$/.test(text)) return text
  throw new InvalidArgumentError('Expected the id of a token, not the token itself.')
}
