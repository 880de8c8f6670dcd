import { expect, test } from 'vitest'
import { budgetLine, jobsSettings } from '../../infra/local/disk-budget.ts'

test('the budget leaves room for the write-ahead log, and 0 means no limit', () => {
  expect(jobsSettings(2)).toEqual({ RAW_DISK_BUDGET_GB: '1.5', ARCHIVE_DELAY_S: '120' })
  expect(jobsSettings(0)['RAW_DISK_BUDGET_GB']).toBe('0')
  expect(Number(jobsSettings(0.1)['RAW_DISK_BUDGET_GB'])).toBeGreaterThan(0)
})

test('the banner says when the budget cannot be kept', () => {
  expect(budgetLine(2, 1_000)).toBe(
    '2 GB for Postgres (--disk-budget): above it, the oldest archived hours are dropped',
  )
  expect(budgetLine(2, 10_000)).toMatch(/at this rate, the current hour needs up to 16\.1 GB$/)
  expect(budgetLine(2, undefined)).toMatch(/the current hour always stays$/)
  expect(budgetLine(0, 1_000)).toMatch(/^no limit/)
})
