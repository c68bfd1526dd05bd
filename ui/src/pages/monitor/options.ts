/** Chart options of the monitoring page: pure functions of readings, thresholds and words. Times in UTC ms, values SI in, shown units out. */
import type { Columns, Readings, ThresholdInfo } from '@/api/types'
import { figure, quantity, shown } from '@/kit/format'
import { token } from '@/kit/theme'
import { dayHm, hm, span, type Lang } from '@/kit/time'

export const GRADE_KEYS = ['blue', 'yellow', 'orange', 'red'] as const
export interface Curve { name: string; readings: Readings; dashed?: boolean }
export interface Band { grade: (typeof GRADE_KEYS)[number]; from: number }
type Words = (key: string, values?: Record<string, unknown>) => string
const MIN = 60_000

/** Limits of a quantity in shown units, lowest first; the newest version when there are several. */
export function bandsOf(thresholds: ThresholdInfo[], name: string, mode = 'above'): Band[] {
  const own = thresholds.filter((t) => t.quantity === name && t.mode === mode)
  const best = own.sort((a, b) => (b.version ?? 0) - (a.version ?? 0))[0]
  return best ? GRADE_KEYS.flatMap((grade) => (best[grade] == null ? [] : [{ grade, from: shown(name, best[grade]!) * (mode === 'rate' ? 1 : 1) }])) : []
}
/** Points with a null at every gap, so that the line breaks and is never bridged; bad values (quality 2) are left out. */
export function brokenLine(r: Readings): [number, number | null][] {
  const out: [number, number | null][] = []
  r.time_ms.forEach((at, i) => {
    const before = r.time_ms[i - 1]
    if (before !== undefined && r.gaps.some(([a, b]) => before <= a + 1 && at >= b - 1)) out.push([before + 1, null])
    const v = r.value[i]
    if ((r.quality?.[i] ?? 0) === 2) return
    out.push([at, v == null ? null : shown(r.quantity, v)])
  })
  return out
}
/** Gaps that touch (nothing but single readings between them) as one, so that sparse hours read as one block. */
export function joined(gaps: [number, number][]): [number, number][] {
  const out: [number, number][] = []
  for (const [a, b] of [...gaps].sort((x, y) => x[0] - y[0])) {
    const last = out.at(-1)
    if (last && a <= last[1] + 0.05 * (b - a)) last[1] = Math.max(last[1], b)
    else out.push([a, b])
  }
  return out
}
const marked = (r: Readings, code: number): [number, number][] => r.time_ms.flatMap((at, i) => ((r.quality?.[i] ?? 0) === code && r.value[i] != null ? [[at, shown(r.quantity, r.value[i]!)] as [number, number]] : []))
const axisText = (): Record<string, unknown> => ({ color: token('--t-3'), fontSize: 11, fontFamily: token('--font') })
const timeAxis = (from: number, to: number, labels: boolean): Record<string, unknown> => ({
  type: 'time', min: from, max: to, axisLine: { lineStyle: { color: token('--line-strong') } }, axisTick: { show: false }, splitLine: { show: true, lineStyle: { color: token('--line') } },
  axisLabel: { show: labels, ...axisText(), formatter: (v: number) => (to - from > 36 * 60 * MIN ? dayHm(v).replace(/^.*?(\d\d-\d\d).*$/, '$1') : hm(v)), hideOverlap: true },
})
const valueAxis = (more: Record<string, unknown> = {}): Record<string, unknown> => ({ type: 'value', axisLine: { show: false }, splitLine: { lineStyle: { color: token('--line') } }, axisLabel: { ...axisText(), formatter: (v: number) => figure(v, Math.abs(v) < 1 && v !== 0 ? 2 : 0) }, ...more })
const tooltip = (lang: Lang): Record<string, unknown> => ({
  trigger: 'axis', backgroundColor: token('--s-2'), borderColor: token('--line-strong'), textStyle: { color: token('--t-1'), fontSize: 12 }, axisPointer: { type: 'line', lineStyle: { color: token('--accent'), type: 'dashed' } },
  formatter: (rows: { seriesName: string; value: [number, number | null]; marker: string }[]) => { const own = rows.filter((r) => r.value?.[1] != null && !r.seriesName.startsWith('_')); return own.length ? `${dayHm(own[0]!.value[0], lang)}<br>${own.map((r) => `${r.marker} ${r.seriesName} <b>${figure(r.value[1], 2)}</b>`).join('<br>')}` : '' },
})
/** Limits as bands with their name at the right edge. */
function bandMarks(bands: Band[], top: number, unit: Words): { area: unknown; line: unknown } {
  const visible = bands.filter((b) => b.from < top)
  return {
    area: { silent: true, data: visible.map((b, i) => [{ yAxis: b.from, itemStyle: { color: token(`--${b.grade}-text`), opacity: b.grade === 'yellow' ? 0.09 : 0.11 } }, { yAxis: visible[i + 1]?.from ?? top }]) },
    line: { silent: true, symbol: 'none', label: { position: 'end', formatter: (p: { name: string }) => p.name, fontSize: 12, distance: 5 }, data: visible.map((b) => ({ yAxis: b.from, name: `${unit(b.grade)} ${figure(b.from, b.from % 1 ? 1 : 0)}`, lineStyle: { color: token(`--${b.grade}-text`), type: 'solid', width: 1, opacity: 0.7 }, label: { color: token(`--${b.grade}-text`) } })) },
  }
}
const GRID = { left: 44, right: 66, top: 10, bottom: 8 }

/** Main curve(s) with bands, gaps as grey blocks, bad as ×, suspect as ○. */
export function curveOption(curves: Curve[], bands: Band[], from: number, to: number, lang: Lang, w: Words): Record<string, unknown> {
  const values = curves.flatMap((c) => brokenLine(c.readings).map((p) => p[1]).filter((v): v is number => v != null))
  const low = Math.min(0, ...values)
  const high = Math.max(...values, 1e-6)
  const next = bands.find((b) => b.from > high)
  const top = Math.max(high * 1.12, next && next.from < high * 2.2 ? next.from * 1.08 : 0, bands.filter((b) => b.from <= high).at(-1)?.from ?? 0)
  const marks = bandMarks(bands, top, w)
  const lines = curves.map((c, i) => ({
    name: c.name, type: 'line', data: brokenLine(c.readings), showSymbol: false, connectNulls: false, lineStyle: { color: i ? token('--accent') : token('--t-1'), width: i ? 1.4 : 1.8, type: i ? 'dashed' : 'solid' }, itemStyle: { color: i ? token('--accent') : token('--t-1') }, z: 5,
    ...(i ? {} : { markLine: marks.line, markArea: { silent: true, data: [...(marks.area as { data: unknown[] }).data, ...joined(c.readings.gaps).filter(([a, b]) => b > from && a < to).map(([a, b]) => [{ xAxis: a, name: b - a > 0.06 * (to - from) ? w('missingMin', { n: span(b - a, lang) }) : '', itemStyle: { color: token('--s-3'), opacity: 0.55 }, label: { position: 'insideTop', color: token('--t-2'), fontSize: 11 } }, { xAxis: b }])] } }),
  }))
  return {
    animation: false, grid: { ...GRID }, tooltip: tooltip(lang), xAxis: timeAxis(from, to, false), yAxis: valueAxis({ min: low, max: Number(top.toPrecision(3)) }), dataZoom: [{ type: 'inside', filterMode: 'none', zoomOnMouseWheel: 'ctrl' }],
    series: [
      ...lines,
      { name: w('bad'), type: 'scatter', data: curves.flatMap((c) => marked(c.readings, 2)), symbol: 'path://M0 0L10 10M10 0L0 10', symbolSize: 8, itemStyle: { color: 'transparent', borderColor: token('--t-2'), borderWidth: 1.5 }, z: 6 },
      { name: w('suspect'), type: 'scatter', data: curves.flatMap((c) => thin(marked(c.readings, 1), 14)), symbol: 'circle', symbolSize: 8, itemStyle: { color: token('--bg'), borderColor: token('--yellow-text'), borderWidth: 1.5 }, z: 6 },
    ],
  }
}
/** Every k-th point so that at most `most` stay, the last always. */
export function thin<T>(points: T[], most: number): T[] {
  const step = Math.ceil(points.length / most)
  return step <= 1 ? points : points.filter((_, i) => i % step === 0 || i === points.length - 1)
}
/** Sums of an increment per hour (or longer bins over long spans), in shown units. */
export function binned(r: Readings, size: number): [number, number][] {
  const sums = new Map<number, number>()
  r.time_ms.forEach((at, i) => (r.quality?.[i] ?? 0) < 2 && r.value[i] != null && sums.set(Math.floor(at / size) * size, (sums.get(Math.floor(at / size) * size) ?? 0) + shown(r.quantity, r.value[i]!)))
  return [...sums]
}
/** Tangent angle (line, left) over hanging rain bars (right). */
export function angleOption(angle: Columns | undefined, rain: Readings | null, from: number, to: number, lang: Lang, w: Words, slope = true): Record<string, unknown> {
  if (!slope) return rainOption(rain, from, to, lang, w)
  const size = to - from > 3 * 24 * 60 * MIN ? 6 * 60 * MIN : 60 * MIN
  const bars = rain ? binned(rain, size).map(([at, v]) => [at + size / 2, v] as [number, number]) : []
  const most = Math.max(10, ...bars.map((b) => b[1])) * 1.9
  const limits = [80, 85] // degrees; 80 alarm and 85 imminent of the improved tangent angle (Xu et al. 2009)
  return {
    animation: false, grid: { ...GRID, bottom: 24 }, tooltip: tooltip(lang), xAxis: timeAxis(from, to, true),
    yAxis: [valueAxis({ min: 0, max: 90, interval: 45 }), valueAxis({ inverse: true, min: 0, max: most, splitLine: { show: false }, axisLabel: { show: false } })],
    series: [
      { name: w('rain'), type: 'bar', yAxisIndex: 1, data: bars, barWidth: Math.max(2, 0.78 * (900 / Math.max(1, (to - from) / size))), itemStyle: { color: token('--rain'), opacity: 0.6 }, tooltip: { valueFormatter: (v: number) => `${figure(v, 1)} mm` } },
      {
        name: w('angle'), type: 'line', data: angle ? angle.time_ms.map((at, i) => [at, angle.value[i] ?? null]) : [], showSymbol: false, lineStyle: { color: token('--t-1'), width: 1.6 }, itemStyle: { color: token('--t-1') }, z: 5,
        markLine: { silent: true, symbol: 'none', label: { position: 'end', fontSize: 11, formatter: (p: { name: string }) => p.name }, data: limits.map((v, i) => ({ yAxis: v, name: `${w(i ? 'red' : 'orange')} ${v}°`, lineStyle: { color: token(i ? '--red-text' : '--orange-text'), type: 'solid', width: 1, opacity: 0.7 }, label: { color: token(i ? '--red-text' : '--orange-text'), offset: [0, i ? -5 : 7] } })) },
      },
    ],
  }
}
/** Rain alone, bars that stand: for places without a tangent angle. mm per hour (or per six hours over long spans). */
export function rainOption(rain: Readings | null, from: number, to: number, lang: Lang, w: Words): Record<string, unknown> {
  const size = to - from > 3 * 24 * 60 * MIN ? 6 * 60 * MIN : 60 * MIN
  const bars = rain ? binned(rain, size).map(([at, v]) => [at + size / 2, v] as [number, number]) : []
  return {
    animation: false, grid: { ...GRID, bottom: 24 }, tooltip: tooltip(lang), xAxis: timeAxis(from, to, true), yAxis: valueAxis({ min: 0, max: Math.max(10, Math.ceil(Math.max(0, ...bars.map((b) => b[1])) * 1.15)) }),
    series: [{ name: w('rain'), type: 'bar', data: bars, barWidth: Math.max(2, 0.78 * (900 / Math.max(1, (to - from) / size))), itemStyle: { color: token('--rain'), opacity: 0.8 } }],
  }
}
/** Inverse velocity with fit, fan and the p10–p90 window. h/m in, h/mm out. */
export function inverseOption(r: Readings | null, now: number, lang: Lang, w: Words): Record<string, unknown> {
  const inverse = r?.judged.inverse_velocity
  const f = r?.judged.forecast
  const points = inverse ? inverse.time_ms.flatMap((at, i) => (inverse.value[i] == null ? [] : [[at, inverse.value[i]!] as [number, number]])) : []
  const fit = f?.fit ?? null
  const first = points[0]?.[0] ?? now - 6 * 3600_000
  const end = f?.p90 ? Math.min(Math.max(f.p90, now) + 0.1 * (f.p90 - first), now + 3 * (now - first)) : now + 0.2 * (now - first)
  const most = Math.max(...points.map((p) => p[1]), 1e-9) * 1.12
  const fan = fit && f?.p10 && f.p90 ? [[fit.t0_ms, fit.v0 * 0.93], [f.p10, 0], [f.p90, 0], [fit.t0_ms, fit.v0 * 1.07]] : null
  return {
    animation: false, grid: { left: 44, right: 16, top: 10, bottom: 24 }, tooltip: { ...tooltip(lang) }, xAxis: timeAxis(first, end, true), yAxis: valueAxis({ min: 0, max: most, axisLabel: { ...axisText(), formatter: (v: number) => figure(v * TO_H_PER_MM, v ? 2 : 0) } }),
    series: [
      ...(fan ? [{ name: '_fan', type: 'custom', silent: true, data: [0], z: 1, renderItem: (_: unknown, api: { coord: (p: number[]) => number[] }) => ({ type: 'polygon', shape: { points: fan.map((p) => api.coord(p as number[])) }, style: { fill: token('--red-text'), opacity: 0.2 } }) }] : []),
      ...(fit ? [{ name: '_fit', type: 'line', showSymbol: false, silent: true, data: [[fit.t0_ms, fit.v0], [fit.t1_ms, fit.v1]], lineStyle: { color: token('--red-text'), width: 1.6 }, z: 4 }] : []),
      { name: w('inverse'), type: 'scatter', data: points, symbolSize: 6, itemStyle: { color: token('--t-1') }, z: 5,
        markLine: { silent: true, symbol: 'none', data: [{ xAxis: now, name: w('now', { t: hm(now) }), lineStyle: { color: token('--accent'), type: 'solid' }, label: { color: token('--accent'), position: 'insideStartBottom', rotate: 0, offset: [now > first + 0.75 * (end - first) ? -34 : 34, -8], formatter: w('now', { t: hm(now) }) } }] },
        ...(f?.p10 && f.p90 ? { markArea: { silent: true, itemStyle: { color: token('--red-text'), opacity: 0.1, borderColor: token('--red-text'), borderWidth: 1, borderType: 'dashed' }, label: { show: true, position: 'insideTop', color: token('--red-text'), fontSize: 11, lineHeight: 17, formatter: `{b|${hm(f.p10)}–${hm(f.p90)}}\n${w('window', { m: hm(f.p50) })}`, rich: { b: { fontSize: 14, fontWeight: 600, color: token('--red-text') } } }, data: [[{ xAxis: f.p10 }, { xAxis: f.p90 }]] } } : {}) },
    ],
  }
}
/** Hours per metre, as sent, to hours per millimetre, as shown. */
const TO_H_PER_MM = 1e-3
/** Velocity bars, coloured by what has been passed. `factor` turns what was sent (m/h) into what is shown (mm/h). */
export function velocityOption(v: Columns | undefined, factor: number, from: number, to: number, limits: Band[], lang: Lang, w: Words): Record<string, unknown> {
  const points = v ? v.time_ms.flatMap((at, i) => (v.value[i] == null ? [] : [[at, v.value[i]! * factor] as [number, number]])) : []
  const top = Math.max(...points.map((p) => p[1]), 0.5) * 1.25
  const colour = (y: number): string => { const b = limits.filter((l) => y >= l.from).at(-1); return b ? token(`--${b.grade}-text`) : token('--normal') }
  const marks = bandMarks(limits, top, w)
  return {
    animation: false, grid: { left: 36, right: 60, top: 10, bottom: 24 }, tooltip: tooltip(lang), xAxis: timeAxis(from, to, true), yAxis: valueAxis({ min: Math.min(0, ...points.map((p) => p[1])), max: Number(top.toPrecision(2)) }),
    series: [{ name: w('rate'), type: 'bar', barMaxWidth: 8, data: thin(points, 90).map((p) => ({ value: p, itemStyle: { color: colour(p[1]) } })), markLine: marks.line, markArea: marks.area }],
  }
}
export const unitOf = (name: string): string => quantity(name).unit
