import { describe, expect, it } from 'vitest'
import { shaded } from '@/map/shade'

const size = 8
const plane = (east: number, south: number): Float32Array => Float32Array.from({ length: size * size }, (_, i) => (i % size) * east + Math.floor(i / size) * south)
const alpha = (out: Uint8ClampedArray): number => out[(4 * size + 4) * 4 + 3]!
const red = (out: Uint8ClampedArray): number => out[(4 * size + 4) * 4]!

describe('hill shading', () => {
  it('leaves flat ground clear', () => expect(alpha(shaded(plane(0, 0), size, 30, [1, 1, 1], [200, 200, 200]))).toBe(0))
  it('darkens a slope that looks south-east, away from the light', () => {
    const out = shaded(plane(-10, -10), size, 30, [1, 1, 1], [200, 200, 200])
    expect(red(out)).toBe(1)
    expect(alpha(out)).toBeGreaterThan(60)
  })
  it('lightens one that looks north-west', () => {
    const out = shaded(plane(6, 6), size, 30, [1, 1, 1], [200, 200, 200])
    expect(red(out)).toBe(200)
    expect(alpha(out)).toBeGreaterThan(10)
  })
})
