/** Removes secrets from everything that is printed. */
import type { Env } from '#core/environment.ts'
import type { Finding } from './finding.ts'

const SECRET_NAME = /SECRET|TOKEN|PASSWORD|ACCESS_KEY/
/** A shorter secret would also hide ordinary words. */
const LENGTH_MIN = 6

export function createRedactor(envs: readonly Env[]): (finding: Finding) => Finding {
  const secrets = [...new Set(envs.flatMap(secretsOf))].toSorted((a, b) => b.length - a.length)
  const clean = (text: string): string =>
    secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text)
  return ({ check, level, found, expected, todo }) => ({
    check,
    level,
    found: clean(found),
    expected: expected === null ? null : clean(expected),
    todo: todo === null ? null : clean(todo),
  })
}

function secretsOf(env: Env): readonly string[] {
  return Object.entries(env).flatMap(([name, value = '']) => {
    const inside = SECRET_NAME.test(name) ? [value, ...value.split(/[:,]/)] : []
    return [...inside, ...passwordOf(value)].filter((secret) => secret.length >= LENGTH_MIN)
  })
}

/** The password of a URL, as written and percent-decoded. */
function passwordOf(value: string): readonly string[] {
  const password = URL.parse(value)?.password ?? ''
  try {
    return [password, decodeURIComponent(password)]
  } catch {
    return [password]
  }
}
