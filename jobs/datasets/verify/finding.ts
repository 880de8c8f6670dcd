/** What a look at a published dataset found. */

export interface DatasetFinding {
  /** The file it is about; the manifest's own name where it is about the whole. */
  readonly file: string
  /** A sentence for people. */
  readonly sentence: string
}

export type Tell = (file: string, sentence: string) => void

/** So many of a file are told one by one: a spoiled file has as many as rows. */
const FINDINGS_MAX = 20

/** Collects findings, at most FINDINGS_MAX a file. */
export function createFindings(): { readonly findings: DatasetFinding[]; readonly tell: Tell } {
  const findings: DatasetFinding[] = []
  const counts = new Map<string, number>()
  return {
    findings,
    tell(file, sentence) {
      const count = (counts.get(file) ?? 0) + 1
      counts.set(file, count)
      if (count <= FINDINGS_MAX) findings.push({ file, sentence })
      if (count === FINDINGS_MAX + 1) findings.push({ file, sentence: 'There is more of it.' })
    },
  }
}
