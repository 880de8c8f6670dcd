/** Dark or light: the system's setting, unless the view names one. */
import type { Theme } from './view.ts'

export function applyTheme(theme: Theme): 'dark' | 'light' {
  const is_dark =
    theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches)
  const applied = is_dark ? 'dark' : 'light'
  document.documentElement.dataset['theme'] = applied
  return applied
}
