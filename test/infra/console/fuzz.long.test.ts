/**
 * Random requests to the admin API of an ingestor and to the console: never a fault of ours, and
 * nothing changes without the right to it and a line in the audit log. `npm run fuzz:control` sends
 * 10,000; FUZZ and FUZZ_SEED choose others.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runMigrations } from 'graphile-worker'
import { beforeAll, expect, test } from 'vitest'
import type { AuditEntry } from '../../../ingestor/control/audit-log.ts'
import type { ChangeAnswer } from '../../../ingestor/control/changes.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { createRandom } from '../../edge-api/hostile.ts'
import { ask } from '../../ingestor/control/support.ts'
import { until } from '../../ingestor/support.ts'
import { type RawAnswer, sendRaw } from './fuzz/raw-http.ts'
import { createChooser, type Question, questionOf } from './fuzz/requests.ts'
import { OPERATE, READ, startStand } from './stand.ts'

const REQUESTS = Number(process.env['FUZZ'] ?? 400)
const SEED = Number(process.env['FUZZ_SEED'] ?? 14)
/** Between two races of operators. */
const CALM = 100
const RACERS = 8
const DONE = 200
const QUEUED = 202
const LONG_BODY_BYTES = 16_384
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'TRACE']

const tcp_port = await freePort()
const stand = await startStand({
  ingestor_env: {
    CONTROL_PORT: String(tcp_port),
    CONTROL_TOKENS: `carol:operate:${OPERATE},dave:read:${READ}`,
  },
  knows_socket: true,
})
const console_port = Number(new URL(stand.url).port)
const socket = join(stand.tape_dir, 'control.sock')
const log_file = join(stand.tape_dir, 'audit.ndjson')
const where = {
  'ingestor over unix': socket,
  'ingestor over tcp': tcp_port,
  console: console_port,
} as const

const lines_read: AuditEntry[] = []
let bytes_read = 0
/** The log only grows, so only what is new is parsed. */
function auditLines(): readonly AuditEntry[] {
  const bytes = readFileSync(log_file)
  const end = bytes.lastIndexOf('\n') + 1
  for (const line of bytes.toString('utf8', bytes_read, end).split('\n')) {
    if (line !== '') lines_read.push(JSON.parse(line) as AuditEntry)
  }
  bytes_read = end
  return [...lines_read]
}
const status = async () => (await ask(socket, '/status')).body
let job_count = 0
/** Keys with which a job was queued. */
const job_keys = new Set<string>()

beforeAll(() => runMigrations({ pgPool: stand.pool }))

/** What the answer says that it changed at the ingestor: the ids of its audit lines. */
function changesOf(
  { route, method, target }: Question,
  { status: code, text }: RawAnswer,
): string[] {
  if ((code !== DONE && code !== 502) || SAFE.includes(method)) return []
  const body = JSON.parse(text || '{}') as Partial<ChangeAnswer> & {
    readonly outcomes?: readonly { readonly answer: ChangeAnswer }[]
  }
  const answers =
    route === 'console' && body.outcomes !== undefined
      ? body.outcomes.map(({ answer }) => answer)
      : target.startsWith('/api')
        ? []
        : [body as ChangeAnswer]
  return answers
    .filter(({ is_changed, is_dry_run, is_repeated }) => is_changed && !is_dry_run && !is_repeated)
    .map(({ audit_id }) => audit_id!)
}

/** Who is refused before a long body is read may miss the answer: the connection is cut. */
function isCut({ body }: Question, { status: code }: RawAnswer): boolean {
  return code === 0 && body !== undefined && body.length > LONG_BODY_BYTES
}

function expectAnswered(question: Question, answer: RawAnswer): void {
  const { route, method, target } = question
  const what = `${route} ${method} ${target.slice(0, 200)} ${answer.status} ${answer.text.slice(0, 300)}`
  expect(answer.status !== 0 || isCut(question, answer), what).toBe(true)
  const is_outcome = route === 'console' && answer.text.startsWith('{"outcomes"')
  if (answer.status >= 500) {
    // Of several steps or ingestors one refused; or twenty watch already.
    const { type = '' } = JSON.parse(answer.text || '{}') as { readonly type?: string }
    expect(is_outcome || /too_many_viewers|plan_timeout/.test(type), what).toBe(true)
  }
  if (answer.status >= 400 && method !== 'HEAD' && !is_outcome) {
    const is_ours = answer.headers.get('content-type') === 'application/problem+json'
    // What is no HTTP is refused before any route; what is not under /api is a page.
    const is_of_node = answer.text === '' && [400, 417, 431].includes(answer.status)
    const is_page = answer.headers.get('content-type')?.startsWith('text/plain') === true
    expect(is_ours || is_of_node || is_page, what).toBe(true)
  }
  expect(answer.text, what).not.toMatch(/\bat .*\.ts:\d+|node_modules|postgres:\/\//)
}

async function askOne(question: Question): Promise<void> {
  const before = auditLines()
  const answer = await sendRaw(where[question.route], question)
  const { route, method, target, may_change } = question
  const what = `${route} ${method} ${target.slice(0, 200)} ${String(question.body?.subarray(0, 200))} ${JSON.stringify(question.headers)} ${answer.status} ${answer.text.slice(0, 300)}`
  expectAnswered(question, answer)
  const added = auditLines().slice(before.length)
  if (answer.status === QUEUED) await expectJobLine(question, what)
  if (!may_change || SAFE.includes(method)) {
    expect(added, what).toEqual([])
    expect(answer.status, what).not.toBe(QUEUED)
    const is_read = ['GET', 'HEAD'].includes(method)
    if (!is_read && !isCut(question, answer)) {
      expect(answer.status, what).toBeGreaterThanOrEqual(400)
    }
  }
  if (/[?&]dry_run=true(?:&|$)/.test(target)) expect(added, what).toEqual([])
  // The answer of several steps has the last of them; the others are in the log too.
  const said = changesOf(question, answer)
  const ids = added.map(({ audit_id }) => audit_id)
  if (route === 'console') expect(ids, what).toEqual(expect.arrayContaining(said))
  else expect(ids, what).toEqual(said)
  for (const { actor, origin } of added) {
    const by = {
      console: /^local for alice(-for-carol)?$/,
      'ingestor over unix': /^local( for carol)?$/,
    }
    expect(actor, what).toMatch(route === 'ingestor over tcp' ? /^carol( for carol)?$/ : by[route])
    expect(origin, what).toBe(route === 'ingestor over tcp' ? '127.0.0.1' : 'unix socket')
  }
}

/** A job has a line of its own, unless its request repeats one with the same key. */
async function expectJobLine({ headers }: Question, what: string): Promise<void> {
  const [row] = (
    await stand.pool.query<{ line_count: number }>(
      "select count(*)::int as line_count from marketdata.audit where program = 'console'",
    )
  ).rows
  const key = headers.find(([name]) => name === 'idempotency-key')?.[1]
  const may_repeat = key !== undefined && job_keys.has(key)
  expect([job_count + 1, ...(may_repeat ? [job_count] : [])], what).toContain(row!.line_count)
  job_count = row!.line_count
  if (key !== undefined) job_keys.add(key)
}

/** Everybody saw the same state: one change is made at most, and the others hear of it. */
async function race(round: number): Promise<void> {
  const { etag } = (await ask(socket, '/status')).headers
  const before = auditLines().length
  const answers = await Promise.all(
    Array.from({ length: RACERS }, (_, i) =>
      ask(i % 2 === 0 ? socket : tcp_port, '/recording', {
        method: 'POST',
        body: { state: i % 4 < 2 ? 'paused' : 'recording' },
        headers: { 'if-match': String(etag), authorization: `Bearer ${OPERATE}` },
      }),
    ),
  )
  const changed = answers.filter(({ status: code, body }) => code === DONE && body.is_changed)
  expect(changed).toHaveLength(1)
  expect(auditLines()).toHaveLength(before + 1)
  const others = answers.filter((answer) => !changed.includes(answer))
  // Who asked for what was so, before the winner, was told so.
  for (const { status: code, body } of others) {
    expect(code === 412 || (code === DONE && !body.is_changed)).toBe(true)
  }
  // The same key: once, and the same answer for everybody; for another request it is refused.
  const key = { 'idempotency-key': `race-${round}` }
  const { wanted } = changed[0]!.body as ChangeAnswer
  const state = wanted.recording === 'paused' ? 'recording' : 'paused'
  const again = await Promise.all(
    Array.from({ length: RACERS }, () =>
      ask(socket, '/recording', { method: 'POST', body: { state }, headers: key }),
    ),
  )
  const said = again.map(({ status: code, body }) => `${code} ${body.audit_id ?? body.type}`)
  expect([...new Set(said)], said.join(', ')).toHaveLength(1)
  expect(again.filter(({ body }) => body.is_repeated)).toHaveLength(RACERS - 1)
  expect(auditLines()).toHaveLength(before + 2)
  const other = { state: wanted.recording }
  const reused = await ask(socket, '/recording', { method: 'POST', body: other, headers: key })
  expect(reused.status).toBe(422)
  expect(auditLines()).toHaveLength(before + 2)
}

test(`${REQUESTS} random requests (seed ${SEED}): no fault of ours, and nothing changes without right and line`, async () => {
  const random = createChooser(createRandom(SEED))
  const tokens = { read: READ, operate: OPERATE }
  for (let i = 1; i <= REQUESTS; i++) {
    await askOne(questionOf(random, tokens, console_port))
    if (i % CALM !== 0) continue
    await race(i)
    // What is wanted is what the last line of the log says.
    const lines = auditLines()
    const { desired } = await status()
    expect(desired.revision).toBe(lines.at(-1)!.revision)
    expect(lines.map(({ revision }) => revision)).toEqual(lines.map((_, index) => index + 1))
    expect(desired).toMatchObject(lines.at(-1)!.after)
  }
  expect(auditLines().length).toBeGreaterThan(REQUESTS / 20)
  expect(job_count).toBeGreaterThan(0)
}, 3_600_000)

test('afterwards it records as its environment says, and Postgres has every line of the logs', async () => {
  await ask(socket, '/desired', { method: 'DELETE' })
  const sentence = async (): Promise<string> => (await stand.summary()).sentence
  await expect.poll(sentence, { timeout: 300_000 }).toMatch(/^All is well: 3 symbols/)
  const lines = auditLines()
  const stored = async (program: string): Promise<readonly string[]> => {
    const { rows } = await stand.pool.query<{ id: string }>(
      `select audit_id::text as id from marketdata.audit where program = $1 order by revision`,
      [program],
    )
    return rows.map(({ id }) => id)
  }
  await until(
    'Postgres has the lines',
    async () => (await stored('ingestor')).length === lines.length,
  )
  expect(await stored('ingestor')).toEqual(lines.map(({ audit_id }) => audit_id))
  expect(await stored('console')).toHaveLength(job_count)
})
