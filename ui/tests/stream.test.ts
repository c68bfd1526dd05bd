import { describe, expect, it } from 'vitest'
import { Dedup } from '@/api/stream'

describe('dedup of the live stream', () => {
  it('hands an event on once, also when a resume repeats it', () => {
    const d = new Dedup()
    expect([1, 2, 3, 2, 3, 4].map((i) => d.fresh(i))).toEqual([true, true, true, false, false, true])
    expect(d.last).toBe(4)
  })
  it('takes ids that committed out of order', () => {
    const d = new Dedup()
    expect([10, 12, 11, 11].map((i) => d.fresh(i))).toEqual([true, true, true, false])
    expect(d.last).toBe(12)
  })
  it('passes what has no id, and forgets old ids without taking them again', () => {
    const d = new Dedup(4)
    expect(d.fresh(NaN) && d.fresh(NaN)).toBe(true)
    for (let i = 1; i <= 50; i++) expect(d.fresh(i)).toBe(true)
    expect(d.fresh(3)).toBe(false)
    expect(d.fresh(49)).toBe(false)
  })
})
