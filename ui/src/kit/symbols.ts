/** The one symbol set for map, list, chip and phone: the outer shape says the state, the line inside says what it is. */

export type SymbolState = 'red' | 'orange' | 'yellow' | 'blue' | 'ok' | 'offline' | 'stale' | 'unknown'
export const GRADES = ['ok', 'blue', 'yellow', 'orange', 'red'] as const
export const STATES: SymbolState[] = ['red', 'orange', 'yellow', 'blue', 'ok', 'stale', 'offline', 'unknown']
export const STATE_WORD: Record<SymbolState, [string, string]> = {
  red: ['红', 'Red'], orange: ['橙', 'Orange'], yellow: ['黄', 'Yellow'], blue: ['蓝', 'Blue'],
  ok: ['正常', 'Normal'], offline: ['离线', 'Offline'], stale: ['数据旧', 'Stale'], unknown: ['未知', 'Unknown'],
}
export const ROMAN: Record<string, string> = { red: 'I', orange: 'II', yellow: 'III', blue: 'IV' }

/** A drawn part: path in 16 units, token names of fill and stroke, stroke width and dash in 16 units. */
export interface Part { d: string; fill?: string; stroke?: string; w?: number; dash?: number[]; opacity?: number }

const circle = (r: number, x = 8, y = 8) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`
const octagon = (r: number) => {
  const k = r * Math.tan(Math.PI / 8)
  const p = [[-k, -r], [k, -r], [r, -k], [r, k], [k, r], [-k, r], [-r, k], [-r, -k]]
  return `M${p.map(([x, y]) => `${(8 + x!).toFixed(2)} ${(8 + y!).toFixed(2)}`).join('L')}Z`
}
const diamond = (r: number) => `M8 ${8 - r}L${8 + r} 8 8 ${8 + r} ${8 - r} 8Z`
const square = (r: number) => `M${8 - r} ${8 - r}h${2 * r}v${2 * r}h${-2 * r}Z`

/** Plain symbols, under 16 px or without a kind. */
const PLAIN: Record<SymbolState, Part[]> = {
  ok: [{ d: circle(4.3), stroke: '--normal', w: 1.7 }, { d: circle(1.5), fill: '--normal' }],
  blue: [{ d: diamond(6.4), fill: '--blue-fill', stroke: '--blue-text', w: 1.2 }],
  yellow: [{ d: 'M8 1.8 15 14H1Z', fill: '--yellow-fill', stroke: '--yellow-text', w: 1.2 }],
  orange: [{ d: square(5.6), fill: '--orange-fill', stroke: '--orange-text', w: 1.2 }],
  red: [{ d: octagon(7.1), fill: '--red-fill', stroke: '--red-text', w: 0.9 }, { d: 'M4.1 6.7h7.8v2.6H4.1Z', fill: '--red-ink' }],
  offline: [{ d: circle(5), stroke: '--t-3', w: 1.5, dash: [2.2, 1.8] }, { d: 'M3.5 12.5l9-9', stroke: '--t-3', w: 1.5 }],
  stale: [{ d: circle(5.5), stroke: '--t-3', w: 1.5 }, { d: 'M8 4.7V8l2.2 1.6', stroke: '--t-3', w: 1.5 }],
  unknown: [{ d: circle(5.5), stroke: '--t-3', w: 1.5, dash: [1.6, 1.6] }, { d: 'M6.5 6.6a1.5 1.5 0 1 1 2.1 1.4q-.6.3-.6 1.1M8 11.1v.3', stroke: '--t-3', w: 1.4 }],
}

/** Line glyphs of the kinds on a 12 grid. */
export const GLYPH: Record<string, { d: string; zh: string; en: string }> = {
  slope: { zh: '边坡', en: 'Slope', d: 'M1 11h10M2.2 11 7.3 2.4h3.5M5.3 5.8h2.4' },
  reservoir: { zh: '水库', en: 'Reservoir', d: 'M8 1.4h1.8l1.5 9.6H8ZM.7 5.2q1.5-1.6 3 0t3 0M.7 9q1.5-1.6 3 0t3 0' },
  flood: { zh: '易涝点', en: 'Flood point', d: 'M6 .9v6.7M6 1.9h2.5M6 4.8h2.5M.8 10.3q1.3-1.6 2.6 0t2.6 0 2.6 0 2.6 0' },
  drain: { zh: '排水口', en: 'Drain', d: 'M1.3 2h9.4v8H1.3ZM4.5 2v8M7.5 2v8' },
  rain: { zh: '雨量计', en: 'Rain gauge', d: 'M1.7 4.6h8.6L7.7 7.9v3.3H4.3V7.9ZM6 .6v2' },
  gas: { zh: '燃气', en: 'Gas', d: 'M6.2.8c.5 2.9 3.7 3.8 3.7 6.7a3.9 3.9 0 0 1-7.8 0c0-1.9 1.5-2.8 1.9-4.2 1.2.9 2.2-.2 2.2-2.5Z' },
  smoke: { zh: '烟感', en: 'Smoke', d: 'M2.5 11q-1.7-2.5 0-5t0-5M6 11q-1.7-2.5 0-5t0-5M9.5 11q-1.7-2.5 0-5t0-5' },
  power: { zh: '电气火灾', en: 'Electrical fire', d: 'M7.2.6 2.3 6.8h3.4l-.9 4.6 4.9-6.2H6.3Z' },
  lift: { zh: '电梯', en: 'Lift', d: 'M1.7.9h8.6v10.2H1.7ZM4.2 4.9 6 2.8l1.8 2.1M4.2 7.1 6 9.2l1.8-2.1' },
  vehicle: { zh: '车辆', en: 'Vehicle', d: 'M1.8 9H.7V2.5H7V9H4.4M7 4.6h2.5l1.8 2V9h-.6M8.1 9H7M1.8 9a1.3 1.3 0 1 0 2.6 0a1.3 1.3 0 1 0-2.6 0M8.1 9a1.3 1.3 0 1 0 2.6 0a1.3 1.3 0 1 0-2.6 0' },
  horn: { zh: '大喇叭', en: 'Loudspeaker', d: 'M1 4.3v3.4h2.3L7 10.8V1.2L3.3 4.3ZM9.3 3.6q1.8 2.4 0 4.8' },
  camera: { zh: '摄像头', en: 'Camera', d: 'M.8 2.3h7v4.5h-7ZM7.8 3.9l3.3-1.5v4.4L7.8 5.4M4.2 6.8v3.7H1.6' },
  firm: { zh: '企业', en: 'Enterprise', d: 'M.9 11V4.7l3.3 2.4V4.7l3.3 2.4V1h3.6v10Z' },
  major: { zh: '重大危险源', en: 'Major hazard source', d: 'M1.6 2.7q4.4-2.6 8.8 0v6.6q-4.4 2.6-8.8 0ZM6 4.1v2.8M6 8.7v.1' },
  shelter: { zh: '安置点', en: 'Shelter', d: 'M.7 6.2 6 1.3l5.3 4.9M2.3 5.1v5.9h7.4V5.1M6 11V7.6' },
  team: { zh: '队伍', en: 'Team', d: 'M4 1.5a1.9 1.9 0 1 1 0 3.8a1.9 1.9 0 1 1 0-3.8M.5 10.8q.2-3.9 3.5-3.9t3.5 3.9M7.8 1.7a1.8 1.8 0 0 1 .3 3.4M8.7 7.1q2.6.3 2.8 3.7' },
  depot: { zh: '物资库', en: 'Depot', d: 'M1.1 3.5 6 .9l4.9 2.6v5.1L6 11.3 1.1 8.6ZM1.1 3.5 6 6.1l4.9-2.6M6 6.1v5.2' },
  cavity: { zh: '地下空洞', en: 'Cavity', d: 'M.5 3.4h3Q1.7 11 6 11t2.5-7.6h3M6 1.4v5.5M4.3 5.3 6 7l1.7-1.7' },
  tower: { zh: '高层建筑', en: 'High-rise', d: 'M2.8 11V1.2h6.4V11M1 11h10M4.9 3.7h.1M7 3.7h.1M4.9 6.2h.1M7 6.2h.1M6 11V8.7' },
  park: { zh: '公园', en: 'Park', d: 'M6 11V6.8M6 .9 9.6 7.6H2.4ZM3.6 11h4.8' },
  road: { zh: '道路', en: 'Road', d: 'M3.9 1 1.6 11M8.1 1l2.3 10M6 1.6v1.7M6 5.2v1.7M6 8.8v1.7' },
  person: { zh: '责任人', en: 'Person', d: 'M6 1.2a2.3 2.3 0 1 1 0 4.6a2.3 2.3 0 1 1 0-4.6M1.9 11q.3-3.9 4.1-3.9T10.1 11' },
  task: { zh: '任务', en: 'Task', d: 'M3 11.3V1.2h7L8.4 3.8 10 6.4H3' },
}

/** Register kinds of sites, stations and devices, mapped to their glyph. */
const ALIAS: Record<string, string> = {
  flood_point: 'flood', depth_gauge: 'flood', water_level: 'reservoir', level_gauge: 'reservoir', enterprise: 'firm', high_rise: 'tower', rain_site: 'rain', rain_gauge: 'rain',
  crack_meter: 'slope', gnss: 'slope', tilt_meter: 'slope', displacement: 'slope', extensometer: 'slope', inclinometer: 'slope', soil_moisture: 'slope', piezometer: 'slope',
  gas_detector: 'gas', smoke_detector: 'smoke', electric: 'power', electrical: 'power', residual_current: 'power', loudspeaker: 'horn', siren: 'horn', terminal: 'horn', other: '', generic: '',
}
export const glyphOf = (kind: string): string => (kind in GLYPH ? kind : (ALIAS[kind] ?? ''))

/** Outer shape under a glyph, with the glyph's box [x, y, side] in 16 units and its ink. */
const FRAME: Record<SymbolState, { parts: (w: number) => Part[]; ink: string; box: [number, number, number] }> = {
  ok: { parts: (w) => [{ d: circle(7.4), fill: '--s-1', stroke: '--normal', w }], ink: '--t-2', box: [3.6, 3.6, 8.8] },
  blue: { parts: (w) => [{ d: diamond(9.6), fill: '--blue-fill', stroke: '--blue-text', w }], ink: '--blue-ink', box: [3.9, 3.9, 8.2] },
  yellow: { parts: (w) => [{ d: 'M8-2.2 18 15.4H-2Z', fill: '--yellow-fill', stroke: '--yellow-text', w }], ink: '--yellow-ink', box: [4.1, 6.1, 7.8] },
  orange: { parts: (w) => [{ d: square(7), fill: '--orange-fill', stroke: '--orange-text', w }], ink: '--orange-ink', box: [3.4, 3.4, 9.2] },
  red: { parts: (w) => [{ d: octagon(7.7), fill: '--red-fill', stroke: '--red-text', w }], ink: '--red-ink', box: [3.6, 3.6, 8.8] },
  stale: { parts: (w) => [{ d: circle(7.4), fill: '--s-1', stroke: '--t-3', w, opacity: 0.7 }], ink: '--t-3', box: [3.6, 3.6, 8.8] },
  offline: { parts: (w) => [{ d: circle(7.4), fill: '--s-1', stroke: '--t-3', w, dash: [2.6, 2.2] }], ink: '--t-3', box: [3.6, 3.6, 8.8] },
  unknown: { parts: (w) => [{ d: circle(7.4), fill: '--s-1', stroke: '--t-3', w, dash: [1.5, 1.8] }], ink: '--t-3', box: [3.6, 3.6, 8.8] },
}

/** Glyph part of a symbol with its own transform. */
export interface GlyphPart { d: string; stroke: string; w: number; x: number; y: number; scale: number; opacity: number }
export interface Drawing { parts: Part[]; glyph?: GlyphPart; badge: Part[] }

/** The whole drawing of one symbol at a pixel size; under 16 px or without a kind the plain form. Strokes keep their pixels. */
export function drawing(state: SymbolState, kind = '', size = 20): Drawing {
  const glyph = GLYPH[glyphOf(kind)]
  if (!glyph || size < 16) return { parts: PLAIN[state], badge: [] }
  const px = 16 / size
  const frame = FRAME[state]
  const [x, y, side] = frame.box
  const line = size >= 28 ? 1.6 : size >= 20 ? 1.4 : 1.2
  const dim = state === 'offline' || state === 'stale' || state === 'unknown'
  const scale = side / 12
  const badge: Part[] = []
  if (state === 'offline' || state === 'stale') {
    const stale = state === 'stale'
    badge.push({ d: circle(size < 20 ? 4.3 : 4, 13.2, 13.2), fill: '--s-1', stroke: stale ? '--yellow-text' : '--t-2', w: 1.2 * px })
    badge.push(stale ? { d: 'M13.2 11v2.3l1.5.9', stroke: '--yellow-text', w: 1.2 * px } : { d: 'M11.2 15.2l4-4', stroke: '--t-2', w: 1.3 * px })
  }
  return { parts: frame.parts((size >= 28 ? 1.4 : 1.2) * px), glyph: { d: glyph.d, stroke: frame.ink, w: (line * px) / scale, x, y, scale, opacity: dim ? 0.75 : 1 }, badge }
}

/** Grade as word from the API's number (0–4), English word or Roman numeral; 'ok' when there is none. */
export function gradeWord(grade: number | string | null | undefined): (typeof GRADES)[number] {
  if (typeof grade === 'number') return GRADES[grade] ?? 'ok'
  const word = String(grade ?? '').toLowerCase()
  if (/^[0-4]$/.test(word)) return GRADES[Number(word)]!
  return (GRADES as readonly string[]).includes(word) ? (word as (typeof GRADES)[number]) : 'ok'
}

/** What to draw for a place: a grade wins over everything; then silence, age, and the honest unknown. */
export function symbolState(state: string | null | undefined, grade?: number | string | null): SymbolState {
  const word = gradeWord(grade)
  if (word !== 'ok') return word
  switch (state) {
    case 'normal': case 'ok': case 'live': case 'online': case 'graded': return 'ok'
    case 'offline': case 'silent': return 'offline'
    case 'stale': case 'old': case 'late': return 'stale'
    default: return (STATES as string[]).includes(state ?? '') ? (state as SymbolState) : 'unknown'
  }
}

/** Size on the map in px: rises with the grade so that it reads at a squint. */
export const MAP_SIZE: Record<SymbolState, number> = { red: 30, orange: 24, yellow: 22, blue: 20, ok: 18, stale: 18, offline: 18, unknown: 18 }
