/** The environment of a program that a test starts: only what the test chose. */

/** With Node's compile cache: compiling takes most of a program's start. */
export function programEnv(chosen: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = ['PATH', 'NODE_COMPILE_CACHE'].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return { ...Object.fromEntries(inherited), ...chosen }
}
