/** Runs wrangler, Cloudflare's command line for workers, in edge-api/. */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { OperatorError } from '#core/errors.ts'

const EDGE_DIR = join(import.meta.dirname, '..', '..', 'edge-api')
const TIMEOUT_MS = 120_000
const QUIET = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
}

/** Returns its output. Errors: OperatorError wrangler_missing; wrangler_failed with its text. */
export async function runWrangler(args: readonly string[]): Promise<string> {
  const root = locateWrangler()
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(root, 'bin', 'wrangler.js'), ...args],
      {
        cwd: EDGE_DIR,
        // wrangler runs build-assets.mjs with the `node` on the PATH, which must be this one.
        env: {
          ...process.env,
          ...QUIET,
          PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
        },
        timeout: TIMEOUT_MS,
      },
    )
    return stdout
  } catch (cause) {
    const { stderr = '', stdout = '' } = cause as {
      readonly stderr?: string
      readonly stdout?: string
    }
    const said = stderr.trim() || stdout.trim()
    throw new OperatorError('wrangler_failed', `wrangler ${args.slice(0, 2).join(' ')}: ${said}`, {
      hint: `Run \`npx wrangler ${args.slice(0, 2).join(' ')}\` in edge-api/ to see it.`,
      cause,
    })
  }
}

function locateWrangler(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('wrangler/package.json'))
  } catch (cause) {
    throw new OperatorError('wrangler_missing', 'node_modules has no wrangler.', {
      hint: 'A production install leaves it out. Run this in a checkout, after `npm ci`.',
      cause,
    })
  }
}
