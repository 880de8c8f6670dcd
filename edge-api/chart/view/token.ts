/** The token of the API. It stays in this tab, and never in the address. */
const KEY = 'booktape-token'

export function readToken(): string | undefined {
  return sessionStorage.getItem(KEY) ?? undefined
}

export function keepToken(text: string): void {
  if (text === '') sessionStorage.removeItem(KEY)
  else sessionStorage.setItem(KEY, text)
}
