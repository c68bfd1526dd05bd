import { describe, expect, it } from 'vitest'
import { percent, figure, shown } from '@/kit/format'
import { age, clock, dayHm, hm, left, span, when } from '@/kit/time'

const now = Date.parse('2026-06-14T06:32:08Z') // 14:32:08 in Beijing
describe('time', () => {
  it('shows Beijing time of UTC', () => {
    expect(hm('2026-06-14T06:05:40Z')).toBe('14:05')
    expect(hm('2026-06-14T16:05:00Z')).toBe('00:05')
    expect(when('2026-06-14T16:05:00Z', 'zh', now)).toBe('06-15 00:05')
    expect(when('2026-06-13T17:00:00Z', 'zh', now)).toBe('01:00')
    expect(dayHm('2025-12-31T16:30:00Z', 'zh', now)).toBe('01-01 00:30')
    expect(dayHm('2025-12-31T15:30:00Z', 'zh', now)).toBe('2025-12-31 23:30')
  })
  it('never invents a time', () => {
    expect([hm(null), when(undefined), dayHm('')]).toEqual(['—', '—', '—'])
    expect(age(null, now)).toBe('从未')
  })
  it('ages in one figure, and says a clock that is ahead', () => {
    expect(age(now - 42_000, now)).toBe('42 秒前')
    expect(age(now - 41 * 60_000, now, 'en')).toBe('41 min ago')
    expect(age(now - 47 * 3600_000, now)).toBe('47 时前')
    expect(age(now - 49 * 3600_000, now)).toBe('2 天前')
    expect(age(now + 3000, now)).toBe('0 秒前')
    expect(age(now + 60_000, now)).toContain('超前')
  })
  it('counts down, then says late', () => {
    expect(left(now + 462_000, now).text).toBe('剩 7:42')
    expect(left(now - 72_000, now)).toEqual({ text: '迟 1:12', late: true, near: true })
    expect(left(now + 3 * 86_400_000, now, 'en').text).toBe('3 d left')
    expect(left(null, now).late).toBe(false)
    expect(clock(3_661_000)).toBe('1:01:01')
    expect(span(59_999)).toBe('59 秒')
  })
})
describe('figures', () => {
  it('never says 100 % unless it is whole', () => {
    expect(percent(99_999, 100_000)).toBe('99.9%')
    expect(percent(5, 5)).toBe('100%')
    expect(percent(1, 0)).toBe('—')
  })
  it('turns SI into the shown unit', () => {
    expect(shown('displacement', 0.0709)).toBeCloseTo(70.9)
    expect(shown('temperature', 293.15)).toBeCloseTo(20)
    expect(figure(null)).toBe('—')
    expect(figure(2846)).toBe('2,846')
  })
})
