import { describe, expect, it } from 'vitest'
import { drawing, GLYPH, glyphOf, gradeWord, STATES, symbolState } from '@/kit/symbols'

describe('symbols', () => {
  it('a grade wins over silence, silence over normal, and nothing known is unknown', () => {
    expect(symbolState('offline', 4)).toBe('red')
    expect(symbolState('silent', 0)).toBe('offline')
    expect(symbolState('ok', 0)).toBe('ok')
    expect(symbolState(undefined, null)).toBe('unknown')
    expect(symbolState('something new', 0)).toBe('unknown')
  })
  it('reads grades as number, text number and word', () => {
    expect([4, '4', 'red', 'RED'].map(gradeWord)).toEqual(['red', 'red', 'red', 'red'])
    expect([0, null, undefined, 9, 'purple'].map((g) => gradeWord(g))).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
  })
  it('draws no glyph under 16 px, and red loses its bar with one', () => {
    expect(drawing('red', 'slope', 12).glyph).toBeUndefined()
    expect(drawing('red', 'slope', 12).parts).toHaveLength(2)
    expect(drawing('red', 'slope', 20).parts).toHaveLength(1)
    expect(drawing('red', 'slope', 20).glyph?.d).toBe(GLYPH.slope!.d)
  })
  it('keeps the stroke in pixels at every size', () => {
    for (const [size, px] of [[16, 1.2], [20, 1.4], [28, 1.6]] as const) {
      const g = drawing('orange', 'rain', size).glyph!
      expect((g.w * g.scale * size) / 16).toBeCloseTo(px, 5)
    }
  })
  it('badges only stale and offline', () => {
    expect(STATES.filter((s) => drawing(s, 'gas', 20).badge.length)).toEqual(['stale', 'offline'])
  })
  it('knows the station kinds of the register', () => {
    for (const kind of ['crack_meter', 'gnss', 'tilt_meter', 'rain_gauge', 'depth_gauge', 'flood_point', 'enterprise', 'loudspeaker']) expect(glyphOf(kind)).not.toBe('')
    expect(glyphOf('a_kind_of_next_year')).toBe('')
  })
})
