/** Labels: how the mid moved afterwards. */
import { columnsOf, type Feature } from './column.ts'

/** How far labels look ahead [s]. */
export const LABEL_HORIZONS = [1, 5, 30, 60] as const

export const LABEL_COLUMNS: readonly Feature[] = columnsOf(
  {
    null_rule:
      'no mid at the end of this second or of the later one, a gap touches a second in between, ' +
      'or the later one is after the last second of the day',
  },
  LABEL_HORIZONS.map((seconds) => [
    `forward_log_return_${seconds}s`,
    '1',
    `log return of the mid over the ${seconds} s after the end of this second`,
    `ln(mid_close ${seconds} rows later / mid_close)`,
  ]),
)
