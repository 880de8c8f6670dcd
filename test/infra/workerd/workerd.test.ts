/** What surrounds the worker in a workerd of its own: static files, and the Cache API. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runWorkerd, type RunningWorkerd } from '../../../infra/local/workerd/run.ts'
import { startWorkerd } from '../../../infra/local/workerd/start.ts'

const dir = mkdtempSync(join(tmpdir(), 'booktape-workerd-'))
const servers: RunningWorkerd[] = []
afterAll(async () => {
  for (const server of servers) await server.stop()
  rmSync(dir, { recursive: true })
})

/** Puts and matches, as the caller says. */
const WORKER = `
const chunked = (text) => new ReadableStream({
  start(controller) {
    for (const part of text.match(/.{1,7}/gs)) controller.enqueue(new TextEncoder().encode(part))
    controller.close()
  },
})
export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url)
    const key = 'https://cached.invalid/' + searchParams.get('key')
    if (request.method === 'GET') {
      const found = await caches.default.match(key)
      if (found === undefined) return new Response('nothing', { status: 404 })
      return new Response(await found.arrayBuffer(), found)
    }
    const text = await request.text()
    const body = searchParams.has('chunked') ? chunked(text) : text
    const headers = { 'cache-control': searchParams.get('control'), 'x-made-at': '17' }
    await caches.default.put(key, new Response(body, { headers }))
    return new Response(env.TEXT)
  },
}`

async function serve(texts: Readonly<Record<string, string>> = {}): Promise<RunningWorkerd> {
  const own = mkdtempSync(join(dir, 'server-'))
  const assets_dir = join(own, 'assets')
  mkdirSync(join(assets_dir, 'docs'), { recursive: true })
  writeFileSync(join(assets_dir, 'docs/index.html'), '<p>docs</p>')
  writeFileSync(join(assets_dir, 'docs/more.html'), '<p>more</p>')
  writeFileSync(join(assets_dir, 'docs/page.js'), 'export {}')
  const rules =
    '/docs*\n  X-Frame-Options: DENY\n/docs/page.js\n  Cache-Control: public, max-age=60\n'
  writeFileSync(join(assets_dir, '_headers'), rules)
  const script_path = join(own, 'script.js')
  writeFileSync(script_path, WORKER)
  const server = await startWorkerd({
    port: 0,
    bundle: { script_path, assets_dir, gzip_bytes: 0 },
    bindings: texts,
    dir: join(own, 'workerd'),
    revoked_file: join(own, 'revoked-tokens'),
  })
  servers.push(server)
  return server
}

test('static files have the types and headers that Cloudflare would send', async () => {
  const { url } = await serve()
  const page = await fetch(`${url}/docs`)
  expect(await page.text()).toBe('<p>docs</p>')
  expect(Object.fromEntries(page.headers)).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'public, max-age=0, must-revalidate',
    'x-frame-options': 'DENY',
  })
  expect(await (await fetch(`${url}/docs/more`)).text()).toBe('<p>more</p>')
  const script = await fetch(`${url}/docs/page.js?v=1`)
  expect(Object.fromEntries(script.headers)).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=60',
  })
  const redirect = await fetch(`${url}/docs/`, { redirect: 'manual' })
  expect([redirect.status, redirect.headers.get('location')]).toEqual([307, '/docs'])
  const headers = { 'if-none-match': page.headers.get('etag')! }
  expect((await fetch(`${url}/docs`, { headers })).status).toBe(304)
  expect((await fetch(`${url}/docs`, { method: 'POST' })).status).toBe(405)
  for (const path of ['/docs/nothing', '/_headers', '/docs/index.html', '/docs/..%2f_headers']) {
    // These are the worker's matter.
    expect(await (await fetch(url + path)).text(), path).toBe('nothing')
  }
})

test('bindings keep every character', async () => {
  const text = '"\\ \n\r\t\u0001\u007f é € 😀 ${x} \'\u2028'
  const { url } = await serve({ TEXT: text })
  const answer = await fetch(`${url}/?key=a&control=no-store`, { method: 'POST', body: 'x' })
  expect(await answer.text()).toBe(text)
})

test('the Cache API keeps answers as long as their max-age, whole or in chunks', async () => {
  const { url } = await serve({ TEXT: 'stored' })
  const put = (query: string, body: string | Uint8Array<ArrayBuffer>) =>
    fetch(`${url}/?${query}`, { method: 'POST', body })
  const get = async (key: string) => fetch(`${url}/?key=${key}`)
  const large = 'line\r\n\r\n0\r\n'.repeat(20_000)
  await put('key=a&control=public,max-age=60', large)
  await put('key=b&control=public,max-age=60&chunked', large)
  await put('key=c&control=no-store', 'not kept')
  await put('key=e&control=public,max-age=60', '')
  await put('key=d&control=public,max-age=2', 'short')
  const whole = await get('a')
  expect(whole.headers.get('x-made-at')).toBe('17')
  expect(await whole.text()).toBe(large)
  expect(await (await get('b')).text()).toBe(large)
  expect(await (await get('e')).text()).toBe('')
  expect((await get('c')).status).toBe(404)
  await expect.poll(async () => (await get('d')).status).toBe(404)
  await put('key=a&control=public,max-age=60', 'newer')
  expect(await (await get('a')).text()).toBe('newer')
})

test('the cache drops the oldest answers when it is full', async () => {
  const { url } = await serve({ TEXT: 'stored' })
  const body = 'x'.repeat(1 << 20)
  for (let n = 0; n < 40; n++) {
    await fetch(`${url}/?key=${n}&control=max-age=60`, { method: 'POST', body })
  }
  expect((await fetch(`${url}/?key=0`)).status).toBe(404)
  expect(await (await fetch(`${url}/?key=39`)).text()).toBe(body)
})

test('a configuration that workerd refuses is an error', async () => {
  const path = join(dir, 'wrong.capnp')
  writeFileSync(path, 'nothing')
  await expect(runWorkerd(path)).rejects.toThrow(/workerd ended with 1/)
})
