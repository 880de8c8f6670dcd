// A separate file, because the page's content security policy forbids inline scripts.
const EXAMPLES = [
  ['The newest quote of a symbol', '/v1/quotes/SYMBOL/latest?exchange=EXCHANGE'],
  ['The newest quotes of several symbols', '/v1/quotes/latest?symbols=SYMBOL'],
  ['Symbols by the beginning of their name', '/v1/search?q=btc&limit=3'],
  ['Trades, each with the quote before it', '/v1/trades/SYMBOL?exchange=EXCHANGE&limit=2&with=quote'],
  ['The quotes of all symbols at a time', '/v1/snapshot?ts=MINUTE_AGO&limit=50'],
  ['The order book', '/v1/book/SYMBOL?exchange=EXCHANGE&depth=3'],
  ['Open interest, of imported days', '/v1/open-interest/SYMBOL?exchange=EXCHANGE&limit=2'],
  ['Gaps of the recording', '/v1/gaps?limit=2'],
  ['Datasets', '/v1/datasets'],
]
/** Lines of an answer that are shown. */
const LINES_MAX = 40

let token = ''

function get(path) {
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` }
  return fetch(path, { headers: { accept: 'application/json', ...headers } })
}

function add(parent, name, text) {
  const element = document.createElement(name)
  if (text !== undefined) element.textContent = text
  parent.append(element)
  return element
}

function showOverview({ exchanges, first_hour, newest_quote, datasets }) {
  const list = document.querySelector('#overview')
  list.replaceChildren()
  const say = (name, value) => {
    add(list, 'dt', name)
    add(list, 'dd', value)
  }
  const names = (exchanges ?? []).map(
    (one) => `${one.exchange}: ${one.active_count} of ${one.symbol_count} symbols are traded`,
  )
  say('Exchanges', exchanges === null ? 'not known now' : names.join(' · ') || 'none yet')
  say('First data', first_hour ?? 'none yet')
  say('Newest quote', newest_quote ?? 'none in the last 24 hours')
  const days = (datasets ?? []).map((one) => `${one.name} ${one.first_date} to ${one.last_date}`)
  say('Datasets', datasets === null ? 'not known now' : days.join(' · ') || 'none yet')
}

async function runExample(path, target) {
  target.textContent = '…'
  try {
    const response = await get(path)
    const text = JSON.stringify(await response.json(), null, 2)
    const lines = text.split('\n')
    const rest = lines.length > LINES_MAX ? `\n… ${lines.length - LINES_MAX} more lines` : ''
    target.textContent = `${response.status}\n${lines.slice(0, LINES_MAX).join('\n')}${rest}`
  } catch (error) {
    target.textContent = `No answer: ${error.message}`
  }
}

async function showExamples() {
  const list = document.querySelector('#example-list')
  list.replaceChildren()
  const { rows = [] } = await get('/v1/quotes/latest?limit=500')
    .then((response) => response.json())
    .catch(() => ({}))
  const shown = rows.find(({ symbol }) => symbol.startsWith('BTC')) ?? rows[0]
  const minute_ago = new Date(Date.now() - 60_000).toISOString().slice(0, 19)
  const { symbol, exchange } = shown ?? { symbol: 'BTCUSDT', exchange: 'binance-futures' }
  const runs = EXAMPLES.map(([title, template]) => {
    const path = template
      .replace('SYMBOL', encodeURIComponent(symbol))
      .replace('EXCHANGE', exchange)
      .replace('MINUTE_AGO', `${minute_ago}Z`)
    const auth = token === '' ? '' : ' -H "Authorization: Bearer $TOKEN"'
    add(list, 'h3', title)
    add(list, 'pre', `curl -s${auth} "${location.origin}${path}"`)
    const answer = add(list, 'pre')
    answer.className = 'answer'
    const again = add(list, 'button', 'Run again')
    again.addEventListener('click', () => runExample(path, answer))
    return runExample(path, answer)
  })
  await Promise.all(runs)
}

async function showErrors() {
  const rows = document.querySelector('#error-rows')
  for (const [status, code, meaning] of await (await fetch('/docs/errors.json')).json()) {
    const row = add(rows, 'tr')
    add(row, 'td', status)
    add(add(row, 'td'), 'code', code)
    add(row, 'td', meaning)
  }
}

const is_dark = window.matchMedia('(prefers-color-scheme: dark)')
const useTheme = () => document.documentElement.classList.toggle('dark-mode', is_dark.matches)
is_dark.addEventListener('change', useTheme)
useTheme()

const reference = window.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  docExpansion: 'list',
  validatorUrl: null,
})

document.querySelector('#token-form').addEventListener('submit', (event) => {
  event.preventDefault()
  token = document.querySelector('#token').value.trim()
  reference.preauthorizeApiKey('token', token)
  void showExamples()
})

void get('/')
  .then((response) => response.json())
  .then(showOverview)
void showErrors()
void showExamples()
