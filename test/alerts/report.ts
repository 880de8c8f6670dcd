/** What the test prints as it goes: sentences, a row per alert, and problems at once. */

export interface AlertRow {
  readonly alert: string
  /** Undefined: it did not fire. */
  readonly fired_after_s: number | undefined
  readonly allowed_s: number
  /** Undefined: it did not resolve. */
  readonly resolved_after_s: number | undefined
}

export interface Report {
  say(text: string): void
  problem(text: string): void
  row(row: AlertRow): void
  /** Prints the table and the problems, and returns how many problems there are. */
  end(): number
}

export function createReport(): Report {
  const problems: string[] = []
  const rows: AlertRow[] = []
  const say = (text: string): void =>
    void process.stdout.write(`${new Date().toISOString().slice(11, 19)}  ${text}\n`)
  return {
    say,
    problem(text) {
      problems.push(text)
      say(`PROBLEM  ${text}`)
    },
    row(row) {
      rows.push(row)
      say(tableLine(row))
    },
    end() {
      say(`${'alert'.padEnd(NAME_WIDTH)} fired after    allowed   resolved after`)
      for (const row of rows) say(tableLine(row))
      say(problems.length === 0 ? 'No problems.' : `${problems.length} problems:`)
      for (const problem of problems) say(`  ${problem}`)
      return problems.length
    },
  }
}

const NAME_WIDTH = 30

function tableLine({ alert, fired_after_s, allowed_s, resolved_after_s }: AlertRow): string {
  const seconds = (value: number | undefined): string =>
    value === undefined ? 'never' : `${value} s`
  return [
    alert.padEnd(NAME_WIDTH),
    seconds(fired_after_s).padStart(11),
    seconds(allowed_s).padStart(10),
    seconds(resolved_after_s).padStart(16),
  ].join(' ')
}
