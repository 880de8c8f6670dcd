/** The frame of the console: navigation by the URL's fragment, and the connection's state. */
import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { duration } from '../state/words.ts'
import type { Identity, PageName, Snapshot } from '../wire.ts'
import { useAsk } from './api.ts'
import { Audit } from './audit.tsx'
import { TokenDialog } from './controls.tsx'
import { Database } from './database.tsx'
import { Datasets } from './datasets.tsx'
import { Gaps } from './gaps.tsx'
import { Jobs, Run } from './jobs.tsx'
import { type Live, useClock, useLive } from './live.ts'
import { Overview } from './overview.tsx'
import { MARKS } from './parts.tsx'
import { Streams } from './streams.tsx'
import { Symbol } from './symbol.tsx'
import { Validation } from './validation.tsx'
import { applyTheme, nextTheme, readTheme, type Theme } from './theme.ts'

const TITLES: Readonly<Record<PageName, string>> = {
  overview: 'Overview',
  streams: 'Streams',
  gaps: 'Gaps',
  jobs: 'Jobs',
  datasets: 'Datasets',
  database: 'Database',
  validation: 'Validation',
  audit: 'Audit',
}
const NAMES = Object.keys(TITLES) as PageName[]
/** The server sends a status every five seconds. */
const STALE_MS = 8_000
const LEVEL_WORDS = { ok: 'all is well', warn: 'look soon', bad: 'act now' } as const

function App() {
  const [turn, setTurn] = useState(0)
  const [is_asking, setAsking] = useState(false)
  const live = useLive(turn)
  const me = useAsk<Identity>(`/me?${turn}`.replace(/\?0$/, ''), 60_000)
  const route = useRoute()
  const { snapshot } = live
  useEffect(() => {
    document.title = `${snapshot === undefined ? '' : `${MARKS[snapshot.level]} `}${TITLES[route.page]} – booktape`
  }, [snapshot?.level, route.page])
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault()
          document.querySelector<HTMLElement>('main')?.focus()
        }}
      >
        To the content
      </a>
      <Frame
        page={route.page}
        snapshot={snapshot}
        identity={me.data}
        onToken={() => setAsking(true)}
      />
      <main id="main" tabIndex={-1}>
        <Freshness live={live} />
        {snapshot === undefined ? (
          <Waiting live={live} />
        ) : (
          <Page
            route={route}
            live={live}
            snapshot={snapshot}
            can_operate={me.data?.scope === 'operate'}
          />
        )}
      </main>
      {is_asking || live.needs_token ? (
        <TokenDialog
          identity={me.data}
          onChanged={() => setTurn((n) => n + 1)}
          onClose={() => setAsking(false)}
        />
      ) : null}
    </>
  )
}

function Waiting({ live }: { readonly live: Live }) {
  return (
    <p class="empty">
      {live.needs_token
        ? 'A token is needed.'
        : (live.error ?? 'Asking the console how everything is.')}
    </p>
  )
}

function Frame(props: {
  readonly page: PageName
  readonly snapshot: Snapshot | undefined
  readonly identity: Identity | undefined
  onToken(): void
}) {
  const [theme, setTheme] = useState<Theme>(readTheme())
  const { page, snapshot, identity } = props
  useEffect(() => {
    applyTheme(theme)
    const system = matchMedia('(prefers-color-scheme: dark)')
    const follow = (): void => applyTheme(theme)
    system.addEventListener('change', follow)
    return () => system.removeEventListener('change', follow)
  }, [theme])
  const level = snapshot?.level
  const nav = useRef<HTMLElement>(null)
  // On a telephone the pages do not fit into a line.
  useEffect(() => {
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' })
  }, [page])
  return (
    <header class="frame">
      <a class="brand" href="#/overview">
        <span class={`dot ${level ?? 'off'}`} aria-hidden="true">
          {MARKS[level ?? 'off']}
        </span>
        booktape
        <span class="hidden">{level === undefined ? '' : LEVEL_WORDS[level]}</span>
      </a>
      <nav aria-label="Pages" ref={nav}>
        {NAMES.map((name) => (
          <a key={name} href={`#/${name}`} aria-current={name === page ? 'page' : undefined}>
            {TITLES[name]}
            {badgeOf(name, snapshot)}
          </a>
        ))}
      </nav>
      <div class="tools">
        <button
          type="button"
          onClick={() => setTheme(nextTheme(theme))}
          aria-label={`Colours: ${theme}. Change`}
        >
          <i aria-hidden="true">◑</i> {theme}
        </button>
        <button type="button" onClick={() => props.onToken()}>
          {identity?.scope === 'operate' ? `${identity.name}: may steer` : 'Operate'}
        </button>
      </div>
    </header>
  )
}

/** How many troubles link to the page. */
function badgeOf(name: PageName, snapshot: Snapshot | undefined) {
  const own = (snapshot?.troubles ?? []).filter(({ page }) => page === name)
  if (own.length === 0 || name === 'overview') return null
  const level = own.some((trouble) => trouble.level === 'bad') ? 'bad' : 'warn'
  return (
    <b class={`count ${level}`} title={own[0]!.text}>
      {MARKS[level]} {own.length}
    </b>
  )
}

function Freshness({ live }: { readonly live: Live }) {
  const now_ms = useClock()
  const { heard_ms, is_connected, error } = live
  if (heard_ms === undefined) return null
  const age_ms = now_ms - heard_ms
  if (is_connected && age_ms < STALE_MS) {
    return <p class="freshness">live · {new Date(heard_ms).toISOString().slice(11, 19)} UTC</p>
  }
  return (
    <p class="freshness stale" role="alert">
      ▲ Stale since {new Date(heard_ms).toISOString().slice(11, 19)} UTC (
      {duration(Math.max(0, age_ms) / 1_000)}). {error ?? 'The console says nothing.'} Connecting
      again.
    </p>
  )
}

interface Route {
  readonly page: PageName
  readonly rest: readonly string[]
}

function Page({
  route,
  live,
  snapshot,
  can_operate,
}: {
  readonly route: Route
  readonly live: Live
  readonly snapshot: Snapshot
  readonly can_operate: boolean
}) {
  const [first, second] = route.rest
  switch (route.page) {
    case 'overview':
      return <Overview snapshot={snapshot} points={live.points} can_operate={can_operate} />
    case 'streams':
      return first !== undefined && second !== undefined ? (
        <Symbol exchange={first} symbol={second} />
      ) : (
        <Streams />
      )
    case 'gaps':
      return <Gaps />
    case 'jobs':
      return first === undefined ? (
        <Jobs can_operate={can_operate} />
      ) : (
        <Run id={first} can_operate={can_operate} />
      )
    case 'datasets':
      return <Datasets />
    case 'database':
      return <Database snapshot={snapshot} />
    case 'validation':
      return <Validation />
    case 'audit':
      return <Audit />
  }
}

function useRoute(): Route {
  const read = (): Route => {
    const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)
    return { page: NAMES.find((page) => page === name) ?? 'overview', rest }
  }
  const [route, setRoute] = useState(read())
  useEffect(() => {
    const follow = (): void => {
      setRoute(read())
      scrollTo(0, 0)
    }
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  return route
}

applyTheme(readTheme())
const root = document.getElementById('app')!
root.textContent = ''
render(<App />, root)
