/** Features whose parameters are fitted on the whole previous day: no look-ahead. */
import { CCZ } from './book.ts'
import { columnsOf, type Feature } from './column.ts'
import { BLIND_TRADES } from './trade.ts'

/** Raised with every change to the fit; a part of the fit's object key. */
export const FIT_VERSION = 3
/** VPIN's buckets: each is 1/50 of the previous day's volume. */
export const VPIN_BUCKETS = 50

const NO_FIT = 'the previous day was not built completely, or had too little data to fit the symbol'

export const FITTED_COLUMNS: readonly Feature[] = columnsOf({ null_rule: NO_FIT }, [
  [
    'microprice_stoikov',
    'quote asset',
    "Stoikov's micro-price: the expected future mid, given imbalance and spread. Fitted on the " +
      'previous day, sampled at the end of each second and symmetrised; 10 classes of imbalance, ' +
      '5 of spread in units of the smallest spread',
    'm + g(I, s); g = sum B^i g1, g1 = (1 - Q)^-1 R1 K, B = (1 - Q)^-1 R2; I = Qb / (Qb + Qa)',
    {
      source: 'Stoikov (2018), The Micro-Price, Quantitative Finance 18 (12), SSRN 2970694',
      null_rule:
        'no two-sided quote, both quantities are 0, the spread is not above 0, the state did not ' +
        `occur on the previous day, or ${NO_FIT}`,
    },
  ],
  [
    'mlofi_integrated',
    '1',
    'order flow imbalance of the best 10 levels, weighted by the first principal component of ' +
      'the normalised imbalances of the previous day',
    'sum w_k mlofi_k / level_qty_mean / sum |w_k|, k = 1..10',
    {
      source: CCZ,
      null_rule: `mlofi_k or level_qty_mean is null, or ${NO_FIT}`,
    },
  ],
  [
    'vpin',
    '1',
    `volume-synchronised probability of informed trading over the last ${VPIN_BUCKETS} buckets ` +
      `of volume, 0 to 1. A bucket is 1/${VPIN_BUCKETS} of the previous day's volume; the volume ` +
      'of a second is split between buckets. Sides are those that the exchange reports; the ' +
      'paper has to estimate them',
    `sum |Vb - Vs| / (${VPIN_BUCKETS} V)`,
    {
      source:
        'Easley, Lopez de Prado & O’Hara (2012), Flow Toxicity and Liquidity in a ' +
        'High-frequency World',
      null_rule:
        `fewer than ${VPIN_BUCKETS} buckets since the last gap (${BLIND_TRADES}), including the ` +
        `previous day's, or ${NO_FIT}`,
    },
  ],
])
