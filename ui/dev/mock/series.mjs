// Readings of the mock, with gaps, suspect and bad values, and what was judged of them.
import { displacement, rate, sites, stations, who, gates, proposal, T0 } from './story.mjs'

const MIN = 60_000
const QUANTITY = { crack_meter: 'crack_width', gnss: 'displacement', tilt_meter: 'tilt', rain_gauge: 'rainfall', depth_gauge: 'water_depth', soil_moisture: 'soil_moisture', gas: 'gas_concentration', smoke: 'smoke_obscuration', electric: 'residual_current' }
const wave = (i, a, b) => a + b * (Math.sin(i / 7) + 0.5 * Math.sin(i / 2.3) + 0.3 * Math.sin(i * 1.7))
const value = (s, quantity, t) => {
  const i = t / (10 * MIN)
  if (quantity === 'crack_width') return displacement(t) * (s.id === 'station-C1' ? 0.3 : 1) + wave(i, 0, 2e-4)
  if (quantity === 'displacement') return displacement(t) * 0.55 + wave(i, 0, 6e-4)
  if (quantity === 'rainfall') return Math.max(0, wave(i, 1.1, 1.4) * Math.exp(-(((t - T0 + 200 * MIN) / (280 * MIN)) ** 2))) * 1e-3
  if (quantity === 'tilt') return 0.03 + displacement(t) * 0.05 + wave(i, 0, 4e-5)
  if (quantity === 'soil_moisture') return 0.41 + wave(i, 0, 0.004)
  return 0.2 + wave(i, 0, 0.02)
}
const limits = { crack_width: [0.015, 0.025, 0.045, 0.065], displacement: [0.015, 0.025, 0.045, 0.065], water_depth: [0.15, 0.27, 0.4, 0.6] }
export function detail(id) {
  const s = stations.find((x) => x.id === id)
  if (!s) return null
  const q = QUANTITY[s.kind] ?? 'temperature'
  const l = limits[q]
  const old = s.state !== 'normal'
  return { ...s, interval_s: 300, site: sites.find((x) => x.id === s.site) ?? null, device: { id: `device-${s.code}`, client_id: s.code, online: !old, seen_at: new Date(Date.now() - s.age_s * 1000).toISOString(), battery: 12.4 }, series: [{ quantity: q, latest: { value: value(s, q, Date.now()), time_ms: Date.now() - s.age_s * 1000, quality: old ? 3 : s.id === 'station-G1' ? 1 : 0 }, thresholds: l ? [{ quantity: q, mode: 'above', blue: l[0], yellow: l[1], orange: l[2], red: l[3], version: 4, source: '阈值表 v4' }] : [] }] }
}
export function siteDetail(id) {
  const s = sites.find((x) => x.id === id)
  return s && { ...s, stations: stations.filter((x) => x.site === id).map((x) => detail(x.id)), responsible: who().map((w) => ({ post: w.post, level: w.level, state: 'on_record' })), gates, forecast: id === 'site-LH-B-0417' ? proposal().forecast : null, proposal: id === 'site-LH-B-0417' ? proposal() : null }
}
export function readings(id, quantity, from, to, points) {
  const s = stations.find((x) => x.id === id)
  const step = Math.max(quantity === 'rainfall' ? 5 * MIN : 5 * MIN, Math.ceil((to - from) / points / MIN) * MIN)
  const out = { quantity, time_ms: [], value: [], quality: [], gaps: [], judged: {} }
  const gap = [T0 - 860 * MIN, T0 - 770 * MIN]
  if (quantity !== 'rainfall' && gap[1] > from && gap[0] < to) out.gaps.push(gap)
  let n = 0
  for (let t = Math.ceil(from / step) * step; t <= Math.min(to, Date.now()); t += step, n++) {
    if (quantity !== 'rainfall' && t > gap[0] && t < gap[1]) continue
    const bad = id === 'station-C2' && (n === 62 || n === 203)
    out.time_ms.push(t); out.value.push(value(s, quantity, t) + (bad ? 0.03 : 0)); out.quality.push(bad ? 2 : id === 'station-G1' && t > T0 - 90 * MIN ? 1 : 0)
  }
  if (quantity === 'crack_width' || quantity === 'displacement') {
    const t = []; for (let at = Math.max(from, T0 - 1440 * MIN); at <= Math.min(to, Date.now()); at += 20 * MIN) t.push(at)
    const v = t.map((at, i) => rate(at) * (1 + 0.05 * Math.sin(i * 2.1)))
    out.judged = { velocity: { time_ms: t, value: v }, tangent_angle: { time_ms: t, value: v.map((x) => (Math.atan(x / 0.00104) * 180) / Math.PI) }, inverse_velocity: { time_ms: t.slice(-27), value: v.slice(-27).map((x, i) => (1 / x) * (1 + 0.06 * Math.sin(i * 3))) }, forecast: { p10: T0 + 118 * MIN, p50: T0 + 182 * MIN, p90: T0 + 248 * MIN, fit: { t0_ms: T0 - 520 * MIN, v0: 1 / rate(T0 - 520 * MIN), t1_ms: T0 + 182 * MIN, v1: 0, r2: 0.94, n: 27 } } }
  }
  return out
}
