/** The arrows of the design: who may import whom. */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf, ROOT } from './support/imports.ts'

/** A folder and what its files may import of ours. Longest prefix wins. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: ['core'],
  'core/node': ['core'],
  ingestor: ['core', 'ingestor'],
  'ingestor/exchanges': ['core', 'ingestor/exchanges'],
  jobs: ['core', 'jobs'],
  'edge-api': ['core', 'edge-api'],
  'edge-api/gateway': [
    'core',
    'edge-api/gateway',
    'edge-api/cache',
    'edge-api/formats',
    'edge-api/queries',
  ],
  sql: ['core', 'sql'],
  infra: ['core', 'sql', 'ingestor', 'jobs', 'edge-api', 'infra'],
  bench: ['core', 'ingestor', 'jobs', 'edge-api', 'infra', 'bench'],
}

/** Files that run in a Worker: neither node: nor core/node. */
const isWorkerFile = (file: string): boolean =>
  (file.startsWith('core/') && !file.startsWith('core/node/')) ||
  (file.startsWith('edge-api/') &&
    !/^edge-api\/(?:gateway\/|node\/|node\.ts|client\/node\.ts)/.test(file))

const files = globSync('{core,ingestor,jobs,edge-api,sql,infra,bench}/**/*.{ts,tsx}', {
  cwd: ROOT,
  exclude: ['**/node_modules/**', '**/dist/**'],
})

function folderOf(path: string): string {
  const candidates = Object.keys(ALLOWED).filter(
    (folder) => path === folder || path.startsWith(`${folder}/`),
  )
  return candidates.toSorted((a, b) => b.length - a.length)[0] ?? path
}

test('the tree has files of every program', () => {
  for (const folder of ['core', 'ingestor', 'jobs', 'edge-api', 'infra']) {
    expect(files.filter((file) => file.startsWith(`${folder}/`)).length, folder).toBeGreaterThan(3)
  }
})

test('every import follows core <- ingestor, jobs, edge-api <- infra', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file).flatMap(({ target }) => {
      if (target === undefined) return []
      const allowed = ALLOWED[folderOf(file)]!
      return allowed.some((folder) => target.startsWith(`${folder}/`))
        ? []
        : [`${file} imports ${target}; it may import ${allowed.join(', ')}`]
    }),
  )
  expect(wrong).toEqual([])
})

/** The one part of Node that Workers have built in and that we use, in one file. */
const BUILT_IN: Readonly<Record<string, string>> = { 'edge-api/lake/decompressors.ts': 'node:zlib' }

test('what runs in a Worker imports nothing of Node', () => {
  const wrong = files.filter(isWorkerFile).flatMap((file) =>
    importsOf(file).flatMap(({ specifier, target = '' }) => {
      if (specifier === BUILT_IN[file]) return []
      const is_node = specifier.startsWith('node:') || target.startsWith('core/node/')
      return is_node ? [`${file} imports ${specifier}`] : []
    }),
  )
  expect(wrong).toEqual([])
})

const SOCKETS_AND_TIMERS = ['ws', 'node:net', 'node:http', 'node:https', 'node:timers']
const IMPURE = /\bDate\.now\(|performance\.now\(|Math\.random\(|\bfetch\(/

test('an exchange folder imports no other exchange, no socket and no clock', () => {
  const wrong = files
    .filter((file) => /^ingestor\/exchanges\/[^/]+\//.test(file))
    .flatMap((file) => {
      const own = file.split('/').slice(0, 3).join('/')
      const text = readFileSync(join(ROOT, file), 'utf8')
      const imports = importsOf(file).filter(({ specifier, target }) => {
        if (target === undefined) return SOCKETS_AND_TIMERS.includes(specifier)
        return /^ingestor\/exchanges\/[^/]+\//.test(target) && !target.startsWith(`${own}/`)
      })
      const bad = imports.map(({ specifier }) => specifier)
      if (IMPURE.test(text)) bad.push('a clock, chance or the network')
      return bad.map((what) => `${file} uses ${what}`)
    })
  expect(wrong).toEqual([])
})

/** The files of a program's own folder, which compose the others. */
const ROOT_FILES = '.'
/**
 * Of a program's folders: which folders and files of the program each may import, besides the
 * folders inside it.
 */
const FOLDERS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  ingestor: {
    exchanges: [],
    tape: [],
    transport: ['exchanges'],
    books: ['exchanges', 'transport'],
    writer: ['exchanges', 'tape', 'transport', 'books'],
    repair: ['exchanges', 'transport', 'writer'],
    // A program of its own that steers the whole ingestor; only main.ts imports it.
    control: [ROOT_FILES, 'transport', 'writer'],
    // A program of its own that reads tapes with the writer's code.
    live: ['exchanges', 'tape', 'writer'],
  },
  jobs: {
    runs: [],
    formulas: [],
    columns: [],
    facts: [],
    parquet: ['columns'],
    archive: ['runs', 'columns', 'parquet'],
    lake: ['runs', 'columns', 'parquet'],
    day: ['formulas', 'columns', 'archive'],
    topn: ['runs', 'formulas', 'day'],
    features: ['formulas', 'day'],
    candles: ['formulas', 'day'],
    bars: ['formulas', 'columns', 'day'],
    lob: ['day'],
    barriers: ['formulas', 'columns', 'day', 'features'],
    clusters: ['runs', 'columns', 'archive', 'day'],
    webhook: [],
    signals: ['runs', 'day', 'topn', 'webhook'],
    backup: ['runs', 'columns', 'parquet', 'archive'],
    restore: ['runs', 'columns', 'parquet', 'archive', 'backup', 'datasets'],
    datasets: [
      'runs',
      'columns',
      'parquet',
      'facts',
      'lake',
      'day',
      'features',
      'candles',
      'bars',
      'lob',
      'barriers',
      'clusters',
      'signals',
    ],
    import: ['runs', 'columns', 'facts', 'archive', 'restore'],
    rollups: ['runs'],
    validation: ['runs', 'datasets'],
    'index-prices': ['runs'],
    retention: ['runs', 'archive'],
    metrics: ['runs', 'archive', 'datasets', 'retention', 'rollups'],
    schedule: [
      'runs',
      'archive',
      'backup',
      'clusters',
      'lake',
      'day',
      'datasets',
      'validation',
      'index-prices',
      'retention',
    ],
  },
  'edge-api': {
    memory: [],
    telemetry: ['memory'],
    tables: ['memory'],
    queries: ['tables'],
    formats: ['memory', 'tables'],
    schemas: ['formats', 'tables'],
    cache: ['memory', 'formats', 'telemetry'],
    store: ['memory', 'schemas'],
    access: [],
    lake: ['memory', 'tables', 'queries', 'schemas', 'cache', 'store'],
    range: ['tables', 'queries', 'store', 'lake'],
    routes: [
      'deps.ts',
      'access',
      'live',
      'clusters',
      'memory',
      'tables',
      'queries',
      'formats',
      'schemas',
      'cache',
      'telemetry',
      'store',
      'range',
    ],
    mcp: ['deps.ts'],
    client: [],
    chart: ['client'],
    live: [],
    clusters: [],
    // It answers newest quotes with the worker's bytes.
    gateway: ['cache', 'formats', 'queries'],
    // A program that runs the whole app on Node.
    node: [ROOT_FILES, 'cache', 'access'],
  },
  infra: {
    client: [],
    exchange: [],
    local: ['exchange'],
    doctor: ['local'],
    console: [],
    handover: [],
    prometheus: [],
    grafana: [],
    sizing: [],
    deploy: ['doctor', 'console', 'handover'],
    cli: ['exchange', 'local', 'doctor', 'handover', 'sizing', 'deploy'],
  },
}
/** Errors as answers: every folder of the worker may name them. */
const OF_EVERY_PART: readonly string[] = ['edge-api/problem.ts']

const folderIn = (program: string, path: string): string | undefined =>
  path.startsWith(`${program}/`) ? (path.split('/').slice(1, -1)[0] ?? ROOT_FILES) : undefined

for (const [program, folders] of Object.entries(FOLDERS)) {
  test(`folders of ${program}/ import only what lies below them`, () => {
    const parts = files.filter((file) => (folderIn(program, file) ?? ROOT_FILES) !== ROOT_FILES)
    const wrong = parts.flatMap((file) => {
      const folder = folderIn(program, file)!
      const allowed = folders[folder]
      if (allowed === undefined)
        return [`${program}/${folder} has no arrows yet: add it to FOLDERS`]
      return importsOf(file).flatMap(({ target }) => {
        const other = target === undefined ? undefined : folderIn(program, target)
        if (other === undefined || other === folder || allowed.includes(other)) return []
        if (allowed.includes(target!.slice(program.length + 1))) return []
        if (OF_EVERY_PART.includes(target!)) return []
        const names = allowed.join(', ') || 'nothing'
        return [`${file} imports ${target}; of ${program}/ it may import ${names}`]
      })
    })
    expect(wrong).toEqual([])
    const gone = Object.keys(folders).filter(
      (name) => !parts.some((file) => folderIn(program, file) === name),
    )
    expect(gone, 'folders without files').toEqual([])
  })
}

test('nothing of an ingestor but its main.ts knows of the admin API', () => {
  const wrong = files
    .filter((file) => !/^ingestor\/(control\/|main\.ts)/.test(file) && file.startsWith('ingestor/'))
    .filter((file) => importsOf(file).some(({ target }) => target?.startsWith('ingestor/control/')))
  expect(wrong).toEqual([])
})

type Arrows = ReadonlyMap<string, ReadonlySet<string>>

/** Folder to folder. A folder that holds the other one composes it, and lends it its types. */
function folderArrows(): Arrows {
  const arrows = new Map<string, Set<string>>()
  for (const file of files) {
    for (const { target } of importsOf(file)) {
      if (!/\.tsx?$/.test(target ?? '')) continue
      const [from, to] = [dirname(file), dirname(target!)]
      if (from === to || from.startsWith(`${to}/`) || to.startsWith(`${from}/`)) continue
      arrows.set(from, (arrows.get(from) ?? new Set()).add(to))
    }
  }
  return arrows
}

/** Every arrow whose end leads back to its beginning. */
function circular(arrows: Arrows): readonly string[] {
  const reach = (start: string): ReadonlySet<string> => {
    const seen = new Set([start])
    for (const folder of seen) for (const next of arrows.get(folder) ?? []) seen.add(next)
    return seen
  }
  return [...arrows].flatMap(([from, targets]) =>
    [...targets].filter((to) => reach(to).has(from)).map((to) => `${from} -> ${to}`),
  )
}

test('imports between folders run one way: there is no circle', () => {
  expect(circular(folderArrows())).toEqual([])
})

test('no file imports back a file that imports it, not even a type', () => {
  const arrows = files.map((file) => {
    const targets = importsOf(file).flatMap(({ target }) => (target === undefined ? [] : [target]))
    return [file, new Set(targets)] as const
  })
  expect(circular(new Map(arrows))).toEqual([])
})
