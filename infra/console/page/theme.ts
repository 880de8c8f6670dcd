/** Dark or light: the system's setting, unless the user flips the switch. */
export type Theme = 'system' | 'dark' | 'light'

const KEY = 'booktape-theme'
const THEMES: readonly Theme[] = ['system', 'dark', 'light']

export function readTheme(): Theme {
  const kept = localStorage.getItem(KEY)
  return THEMES.find((theme) => theme === kept) ?? 'system'
}

export function applyTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme)
  const is_dark =
    theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset['theme'] = is_dark ? 'dark' : 'light'
}

export function nextTheme(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!
}
