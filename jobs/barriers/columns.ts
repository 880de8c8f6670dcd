/** Registry of the dataset `labels_barrier`: its parameters, and its columns in order. */
import { columnsOf, keyColumns } from '#core/features/column.ts'
import { NEVER, type FeatureSet } from '#core/features.ts'

/** In each manifest. Seconds are rows of features_1s. */
export const BARRIER_PARAMETERS = {
  /** Span of the average of squared returns: alpha = 2 / (span + 1) [s]. */
  volatility_span_s: 600,
  /** Returns since the start or the last gap before the volatility is known. */
  volatility_returns_min: 60,
  /** A sum of returns of this many volatilities of a second is an event: their root is taken. */
  cusum_s: 60,
  /** The vertical barrier [s]. */
  horizon_s: 300,
  /** Horizontal barriers in volatilities of the horizon. */
  barrier_width: 1,
  /** Equal parts of the UTC day for cross-validation. */
  fold_count: 5,
  /** What comes this long after a test fold is left out of training [s]. */
  embargo_s: 864,
} as const

const BOOK =
  'López de Prado (2018), Advances in Financial Machine Learning, Wiley, ISBN 978-1-119-48208-6'

export const LABELS_BARRIER: FeatureSet = {
  dataset: 'labels_barrier',
  schema_version: 1,
  description:
    'Events of the mid, which of three barriers it touched first, and weights and folds for ' +
    'training. Rows join features_1s by ts. An event whose outcome is unknown has no row. ' +
    'docs/bars.md defines them.',
  columns: [
    ...keyColumns('1 s'),
    ...columnsOf({ null_rule: NEVER, source: `${BOOK}, chapter 3` }, [
      [
        't1',
        'UTC',
        'start of the second at whose end the first barrier was touched',
        'first t > ts with |ln(m_t / m_ts)| >= barrier, at most ts + horizon_s',
        { type: 'timestamp_us' },
      ],
      [
        'side',
        '1',
        'the barrier: 1 upper, -1 lower, 0 vertical (the time was over)',
        'sign of ln(m_t1 / m_ts) if it reached a horizontal barrier, else 0',
        { type: 'int64' },
      ],
      ['log_return', '1', 'log return of the mid until then', 'ln(m_t1 / m_ts)'],
      [
        'volatility',
        '1',
        'volatility of one second, known at the event',
        'sigma = sqrt(sum (1 - alpha)^i r_(t-i)^2 / sum (1 - alpha)^i), since the last gap',
      ],
      [
        'barrier',
        '1',
        'distance of the horizontal barriers, as a log return',
        'barrier_width sigma sqrt(horizon_s)',
      ],
    ]),
    ...columnsOf({ null_rule: NEVER, source: `${BOOK}, chapter 4` }, [
      [
        'uniqueness',
        '1',
        'average uniqueness: 1 if no other label of the symbol depends on the same seconds',
        'mean over ts < t <= t1 of 1 / c_t; c_t = labels with ts < t <= t1',
      ],
      [
        'return_weight',
        '1',
        "absolute return that is the label's own",
        '|sum over ts < t <= t1 of r_t / c_t|',
      ],
    ]),
    ...columnsOf({ null_rule: NEVER, source: `${BOOK}, chapter 7` }, [
      [
        'fold',
        'id',
        'part of the UTC day that the event is in, 0 to fold_count - 1',
        'floor(fold_count (ts - midnight) / day)',
        { type: 'int64' },
      ],
      [
        'purged_by',
        'bits',
        'bit k: leave the row out of training when fold k is the test, because its label depends ' +
          'on seconds of the test or follows it within the embargo',
        'sum over k != fold of 2^k [t1 >= start_k and ts < end_k + horizon_s + embargo_s]',
        { type: 'int64' },
      ],
    ]),
  ],
}
