/** Types of bundle.mjs, which is plain JavaScript because wrangler runs it with any Node. */
export interface ChartFile {
  /** Below /chart. */
  readonly path: string
  readonly bytes: Buffer
}

export function bundleChart(): Promise<readonly ChartFile[]>
