/** Something wrong with a published dataset. */

export interface DatasetFinding {
  /** File concerned; the manifest's name if the finding is about the whole dataset. */
  readonly file: string
  /** A sentence for people. */
  readonly sentence: string
}

export type ReportFinding = (file: string, sentence: string) => void

/** At most this many are listed per file: a corrupt file can have one for every row. */
const FINDINGS_MAX = 20

/** Collects findings, at most FINDINGS_MAX per file. */
export function createFindings(): {
  readonly findings: DatasetFinding[]
  readonly report: ReportFinding
} {
  const findings: DatasetFinding[] = []
  const counts = new Map<string, number>()
  return {
    findings,
    report(file, sentence) {
      const count = (counts.get(file) ?? 0) + 1
      counts.set(file, count)
      if (count <= FINDINGS_MAX) findings.push({ file, sentence })
      if (count === FINDINGS_MAX + 1) findings.push({ file, sentence: 'There are more findings.' })
    },
  }
}
