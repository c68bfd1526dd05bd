import { describe, expect, it } from 'vitest'
import type { Readings, Trace } from '@/api/types'
import { allowed, beyond, rowsOf, wayBack } from '@/pages/duty/links'
import { bandsOf, binned, brokenLine, joined, thin } from '@/pages/monitor/options'

const readings = (over: Partial<Readings>): Readings => ({ quantity: 'displacement', time_ms: [], value: [], gaps: [], judged: {}, ...over })
describe('curves', () => {
  it('breaks the line at a gap and leaves bad values out', () => {
    const line = brokenLine(readings({ time_ms: [0, 10, 100, 110], value: [0.001, 0.002, 0.003, 0.9], quality: [0, 1, 0, 2], gaps: [[10, 100]] }))
    expect(line).toEqual([[0, 1], [10, 2], [11, null], [100, 3]])
  })
  it('thins but keeps the last point', () => {
    const t = thin(Array.from({ length: 1000 }, (_, i) => i), 90)
    expect(t.length).toBeLessThanOrEqual(91)
    expect(t.at(-1)).toBe(999)
    expect(thin([1, 2], 5)).toEqual([1, 2])
  })
  it('sums rain per bin without bad values', () => {
    const r = readings({ quantity: 'rainfall', time_ms: [0, 100, 3_600_000, 3_600_100], value: [0.001, 0.002, 0.001, 5], quality: [0, 1, 0, 2] })
    expect(binned(r, 3_600_000)).toEqual([[0, 3], [3_600_000, 1]])
  })
  it('joins gaps that touch', () => {
    expect(joined([[0, 10], [10, 20], [50, 60]])).toEqual([[0, 20], [50, 60]])
  })
  it('takes the newest limits, in shown units', () => {
    const t = { quantity: 'displacement', mode: 'above', blue: null, yellow: 0.025, orange: 0.045, red: 0.065 }
    expect(bandsOf([{ ...t, version: 1, red: 0.1 }, { ...t, version: 2 }], 'displacement')).toEqual([{ grade: 'yellow', from: 25 }, { grade: 'orange', from: 45 }, { grade: 'red', from: 65 }])
  })
})
describe('the way back', () => {
  const node = (id: string, kind: string, at: number): Trace['nodes'][number] => ({ id, kind, title: id, at: new Date(at).toISOString(), who: null, limit_at: null, used_s: null, late: false })
  const trace: Trace = { nodes: [node('case', 'case', 9), node('read', 'read', 1), node('find', 'find', 2), node('warn', 'warn', 3), node('task', 'task', 4)], edges: [['read', 'find'], ['find', 'warn'], ['warn', 'task'], ['warn', 'case'], ['case', 'warn']] }
  it('leads from a penalty to the reading, and stands a circle', () => {
    expect([...wayBack(trace, 'case')].sort()).toEqual(['case', 'find', 'read', 'warn'])
  })
  it('orders by time and groups neighbours', () => {
    const { links } = rowsOf(trace, 'case')
    expect(links.map((l) => l.id)).toEqual(['read', 'find', 'warn', 'task', 'case'])
    expect(links[0]).toMatchObject({ group: 'sense', first: true, span: 2 })
    expect(links[1]!.first).toBe(false)
  })
  it('folds a crowd but never a late one', () => {
    const many: Trace = { nodes: Array.from({ length: 40 }, (_, i) => ({ ...node(`n${i}`, 'note', i), late: i === 20 })), edges: [] }
    const { links, folded } = rowsOf(many, 'n0')
    expect(links.map((l) => l.id)).toContain('n20')
    expect(links.length + folded.note!).toBe(40)
  })
  it('knows the time allowed', () => {
    const task = { ...node('x', 'task', 0), limit_at: new Date(900_000).toISOString(), used_s: 1000 }
    expect(allowed(task)).toBe(900)
    expect(beyond(task, 0)).toBe(100)
    expect(beyond({ ...task, used_s: null }, 600_000)).toBe(-300)
    expect(allowed({ ...node('s', 'hstep', 600_000), limit_at: new Date(900_000).toISOString(), used_s: 600 })).toBe(900)
    expect(allowed(node('y', 'task', 1))).toBeNull()
  })
})
