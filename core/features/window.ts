/** Features of the last seconds. Windows never cross a gap or midnight. Only in features_1s. */
import { columnsOf, type Feature } from './column.ts'
import { NO_RETURN } from './quote.ts'
import { BLIND_TRADES } from './trade.ts'

const BNS =
  'Barndorff-Nielsen & Shephard (2004), Power and Bipower Variation with Stochastic Volatility ' +
  'and Jumps'
const KYLE = 'Kyle (1985), Continuous Auctions and Insider Trading'

/** Seconds of realised_variance_60s. */
export const VARIANCE_WINDOW = 60
/** Maximum and minimum seconds of kyle_lambda_300s. */
export const LAMBDA_WINDOW = 300
export const LAMBDA_MIN = 60

const ofiOver = (seconds: number): readonly [string, string, string, string] => [
  `ofi_${seconds}s`,
  'base asset',
  `order flow imbalance of the best level over this second and the ${seconds - 1} before it`,
  `sum of ofi over ${seconds} rows`,
]

export const WINDOW_COLUMNS: readonly Feature[] = [
  ...columnsOf(
    { null_rule: 'one of the seconds has no ofi, is not in this day, or is touched by a gap' },
    [ofiOver(2), ofiOver(3)],
  ),
  ...columnsOf({ null_rule: 'one of the terms is null or not in this day', source: BNS }, [
    [
      'bipower_variation',
      '1',
      'product of two successive absolute log returns of the mid: variance without jumps',
      '(pi / 2) |r| |r of the previous second|; r^2 = realised_variance',
    ],
    [
      `realised_variance_${VARIANCE_WINDOW}s`,
      '1',
      `realised variance of the last ${VARIANCE_WINDOW} one-second returns`,
      `sum of realised_variance over ${VARIANCE_WINDOW} rows`,
    ],
    [
      `bipower_variation_${VARIANCE_WINDOW}s`,
      '1',
      `bipower variation of the last ${VARIANCE_WINDOW} one-second returns`,
      `sum of bipower_variation over ${VARIANCE_WINDOW - 1} rows: the products inside the window`,
    ],
  ]),
  ...columnsOf({ null_rule: '', source: KYLE }, [
    [
      `kyle_lambda_${LAMBDA_WINDOW}s`,
      'quote asset per base asset',
      `price impact of signed volume: slope of the least-squares line over the last ` +
        `${LAMBDA_WINDOW} seconds, or over those since the last gap if at least ${LAMBDA_MIN}`,
      'Cov(dm, Vb - Vs) / Var(Vb - Vs); dm = mid_close - mid_close of the previous second',
      {
        null_rule:
          `fewer than ${LAMBDA_MIN} seconds of this day since the last one without a return ` +
          `(${NO_RETURN}) or volume (${BLIND_TRADES}), or the signed volume does not vary`,
      },
    ],
  ]),
]
