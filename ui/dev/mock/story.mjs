// The mock's world: one slope towards failure, a flood point, silent devices, a warning in force with receipts.
import { divisions, isInside, random } from './geo.mjs'

const rnd = random(11)
export const T0 = Date.now()
export const iso = (msAgo) => new Date(Date.now() - msAgo).toISOString()
const MIN = 60_000
export const SLOPE = { lon: 114.181, lat: 22.5712 }
const streets = divisions.filter((d) => d.level === 'street')
export const site = (id, name, name_en, kind, lon, lat, code, extra = {}) => ({ id, name, name_en, kind, lon, lat, code, division: '440303009001', division_name: '莲塘街道 仙湖社区', division_name_en: 'Liantang · Xianhu', grade: 0, state: 'normal', ...extra })
const shape = (pts) => ({ type: 'Polygon', coordinates: [[...pts, pts[0]].map(([x, y]) => [SLOPE.lon + x * 1e-3, SLOPE.lat + y * 1e-3])] })
export const body = shape([[-1.6, 1.3], [0.5, 2], [2.1, 0.9], [1.7, -1], [-1, -1.2]])
export const area = shape([[-2.6, 1.9], [0.3, 2.9], [2.9, 1.6], [4.4, -2], [4.2, -5.6], [0.5, -6.9], [-3.3, -5.6], [-3.9, -1.7]])
export const sites = [
  site('site-LH-B-0417', '仙桐公园 2 号边坡', 'Xiantong Park Slope 2', 'slope', SLOPE.lon, SLOPE.lat, 'LH-B-0417', { grade: 4, geometry: body, proposal: 'prop-1', key_target: true, main_station: 'station-C2' }),
  site('site-F-01', '布心路下穿通道', 'Buxin Rd underpass', 'flood_point', 114.146, 22.583, 'LH-F-0001', { grade: 3 }), site('site-S-02', '西岭北坡', 'Xiling North', 'slope', 114.1905, 22.577, 'LH-B-0388', { grade: 3 }),
  site('site-S-03', '长岭 5 号', 'Changling 5', 'slope', 114.172, 22.5735, 'LH-B-0205', { grade: 2 }), site('site-S-04', '畔山 1 号', 'Banshan 1', 'slope', 114.1938, 22.57, 'LH-B-0119', { grade: 1 }), site('site-S-05', '仙湖路 7 号', 'Xianhu Rd 7', 'slope', 114.1625, 22.571, 'LH-B-0307', { grade: 1 }),
  site('site-R-01', '深圳水库', 'Shenzhen Reservoir', 'reservoir', 114.152, 22.57, 'LH-R-0001', { grade: 2, key_target: true }), site('site-P-01', '仙桐体育公园', 'Xiantong Park', 'park', 114.1745, 22.566, 'LH-P-0001', { key_target: true }),
]
const KINDS = ['crack_meter', 'gnss', 'tilt_meter', 'rain_gauge', 'depth_gauge', 'gas', 'smoke', 'soil_moisture', 'electric', 'lift', 'camera', 'cavity']
export const stations = []
let number = 1
const station = (id, name, kind, lon, lat, siteId, extra = {}) => stations.push({ number: number++, id, code: id.replace('station-', ''), name, name_en: '', kind, site: siteId, lon, lat, state: 'normal', grade: 0, age_s: Math.round(rnd() * 50), ...extra })
station('station-C2', '裂缝 C2', 'crack_meter', SLOPE.lon + 0.0003, SLOPE.lat + 0.0006, 'site-LH-B-0417', { name_en: 'Crack C2', grade: 4 })
station('station-C1', '裂缝 C1', 'crack_meter', SLOPE.lon - 0.0006, SLOPE.lat + 0.0002, 'site-LH-B-0417', { name_en: 'Crack C1', grade: 2 })
station('station-G1', 'GNSS G1', 'gnss', SLOPE.lon + 0.0009, SLOPE.lat - 0.0001, 'site-LH-B-0417', { name_en: 'GNSS G1', grade: 3 })
station('station-T1', '倾角 T1', 'tilt_meter', SLOPE.lon - 0.0002, SLOPE.lat - 0.0005, 'site-LH-B-0417', { name_en: 'Tilt T1' })
station('station-R1', '雨量 R1', 'rain_gauge', SLOPE.lon + 0.0014, SLOPE.lat + 0.0011, 'site-LH-B-0417', { name_en: 'Rain R1' })
station('station-D1', '布心路水尺', 'depth_gauge', 114.146, 22.583, 'site-F-01', { grade: 3 })
station('station-LH-B-0388', '西岭 0388', 'tilt_meter', 114.1676, 22.5765, 'site-S-02', { state: 'offline', age_s: 2460 })
station('station-LH-G-0093', '仙湖 0093', 'gnss', 114.173, 22.5672, 'site-S-02', { state: 'stale', age_s: 2460 })
while (stations.length < 420) { const s = streets[Math.floor(rnd() * streets.length)]; const lon = s.lon + (rnd() - 0.5) * 0.04; const lat = s.lat + (rnd() - 0.5) * 0.03; if (!isInside(lon, lat) || Math.hypot(lon - SLOPE.lon, lat - SLOPE.lat) < 0.004) continue; const kind = KINDS[Math.floor(rnd() * KINDS.length)]; const bad = rnd(); station(`station-LH-${String(number).padStart(4, '0')}`, `${s.name.slice(0, 2)} ${number} 号`, kind, lon, lat, `site-${number}`, bad < 0.03 ? { state: 'offline', age_s: 4000 } : bad < 0.05 ? { state: 'stale', age_s: 900 } : {}) }
export const horns = [[-2, -3.6, 'played'], [0.8, -4.4, 'played'], [3.4, -3.8, 'played'], [-4.6, -5, 'played'], [-0.6, -7, 'played'], [2.8, -7.2, 'played'], [6.2, -5.8, 'played'], [-7, -7.6, 'sent'], [6.6, -9, 'sent'], [-3.6, -9.2, 'played'], [-10, -6, 'silent']].map(([x, y, state], i) => ({ id: `device-horn-${i}`, name: `大喇叭 ${i + 1}`, name_en: `Speaker ${i + 1}`, lon: SLOPE.lon + x * 1e-3, lat: SLOPE.lat + y * 0.9e-3, reach_m: 250, state }))
export const objects = () => ({
  sites, loudspeakers: horns, warnings: [{ id: 'warn-1', grade: signed.at ? 4 : 3, title: '仙桐公园 2 号边坡 橙色预警', title_en: 'Orange: Xiantong Park Slope 2', area, state: 'issued', issued_at: iso(27 * MIN), site: 'site-LH-B-0417' }],
  teams: [{ id: 'team-1', name: '救援一队', name_en: 'Rescue 1', lon: 114.1788, lat: 22.5655, state: 'working' }, { id: 'team-2', name: '抢险一队', name_en: 'Works 1', lon: 114.1702, lat: 22.5692, state: 'ready' }],
  shelters: [{ id: 'shelter-1', name: '仙桐体育馆', name_en: 'Xiantong Gym', lon: 114.1726, lat: 22.5642, capacity: 600, occupancy: 214 }], depots: [{ id: 'depot-1', name: '莲塘物资库', name_en: 'Liantang depot', lon: 114.168, lat: 22.562 }],
  people: [{ id: 'person-9', name: '网格员', post: '3 栋网格员', name_en: 'Inspector 3', lon: 114.1832, lat: 22.5676, seen_at: iso(40_000) }],
  tasks: [{ id: 'task-1', title: '封闭仙桐路', title_en: 'Close Xiantong Rd', state: 'accepted', due_at: iso(-9 * MIN), lon: 114.1842, lat: 22.5638, post: '交警莲塘中队' }],
})
export const signed = { at: null, declined: null, claimed: null }
// displacement story: creep, then acceleration towards failure; mm at minutes before now
const FAIL = 130 // minutes ahead at T0
export const displacement = (t) => { const left = FAIL - (t - T0) / MIN; const mins = (t - (T0 - 1440 * MIN)) / MIN; return (0.009 * mins + (left < 1000 ? 24 * Math.log(1000 / Math.max(left, 3)) : 0)) / 1000 }
export const rate = (t) => (displacement(t) - displacement(t - 30 * MIN)) * 2 // m/h
export const gate = (zh, en, value, limit, ok) => ({ zh, en, value, limit, ok })
export const gates = [gate('切线角 ≥ 80°', 'Tangent angle ≥ 80°', '85.6°', '80°', true), gate('速度 > 6 倍噪声', 'Rate > 6 × noise', '13.5 / 1.2', '', true), gate('连续 2 窗加速', 'Faster in 2 windows', '3 窗', '', true), gate('位移增量 > 10 mm', 'Increment > 10 mm', '46 mm', '10 mm', true), gate('切线角 ≥ 85°', 'Tangent angle ≥ 85°', '85.6°', '85°', true), gate('第二类传感器同证', 'Second kind agrees', '等待', '', null)]
export const who = () => [
  { post: '莲塘街道 带班领导', level: 'street', state: 'answered', at: iso(26 * MIN), used_s: 48 }, { post: '仙湖社区 书记', level: 'community', state: 'answered', at: iso(25 * MIN), used_s: 92 }, { post: '3 栋网格员', level: 'site', state: 'answered', at: iso(8 * MIN), used_s: 61 },
  { post: '地灾技术员（现场）', level: 'site', state: 'calling', deadline: iso(-1.4 * MIN), attempts: 2 }, { post: '区带班领导', level: 'district', state: 'waiting', deadline: iso(-10 * MIN) },
]
export const proposal = () => ({
  id: 'prop-1', state: signed.at ? 'signed' : signed.declined ? 'declined' : signed.claimed ? 'claimed' : 'open', hazard: 'slope', grade: 4, title: '仙桐公园 2 号边坡 升红', title_en: 'Xiantong Park Slope 2: to red',
  zh: '裂缝计与 GNSS 同时加速，切线角 85.6°，速度连续 3 窗上升。', en: 'Crack gauge and GNSS speed up together: tangent angle 85.6°, rate up in 3 windows.', proposed_at: new Date(T0 - 2 * MIN).toISOString(), decide_by: new Date(T0 + 7.7 * MIN).toISOString(),
  claimed_by: signed.claimed, decided_by: signed.at || signed.declined ? { id: 'person-1', name: '值守长' } : null, decided_at: signed.at || signed.declined?.at, reason: signed.declined?.reason, site: sites[0],
  findings: [['blue', 1, 254], ['yellow', 2, 146], ['orange', 3, 56], ['red', 4, 2]].map(([w, g, ago], i) => ({ id: `find-${i}`, station: { id: 'station-C2', name: '裂缝 C2' }, detector: 'slope', quantity: 'crack_width', grade: g, at: new Date(T0 - ago * MIN).toISOString(), zh: `研判 ${w}`, en: w })),
  forecast: { p10: new Date(T0 + 118 * MIN).toISOString(), p50: new Date(T0 + 182 * MIN).toISOString(), p90: new Date(T0 + 248 * MIN).toISOString() }, gates,
  figures: [{ zh: '位移 24 时', en: 'Moved 24 h', value: 70.9, unit: 'mm', at: iso(42_000) }, { zh: '速度', en: 'Rate', value: 13.5, unit: 'mm/h ↑', grade: 4, at: iso(42_000) }, { zh: '切线角', en: 'Angle', value: 85.6, unit: '°', at: iso(42_000) }],
  who: who(), consequence: { zh: '立即叫 126 户 342 人撤离，开 11 只大喇叭，呼 6 名责任人，封闭仙桐路；10 分钟无人应答自动报区带班领导。', en: '126 households, 342 people, are told to leave; 11 loudspeakers play; 6 people on duty are called; Xiantong Road closes. No answer in 10 min goes to the district leader.', households: 126, people: 342 },
  warning_in_force: { id: 'warn-1', grade: 3, title: '橙色预警', issued_at: iso(27 * MIN), listed: 126, people: 342, reachable: 118, facts: { channel: 126, device: 118, confirmed: 97, acted: 71 }, silent: 14 },
})
export const queue = () => [
  ...(signed.at || signed.declined ? [] : [{ id: 'prop-1', kind: 'proposal', grade: 4, title: '仙桐公园 2 号边坡 升红', title_en: 'Xiantong Park Slope 2: to red', line: '切线角 85.6°，两类传感器一致', line_en: 'Tangent angle 85.6°, two sensor kinds agree', due_at: proposal().decide_by, at: proposal().proposed_at, claimed_by: signed.claimed, site: 'site-LH-B-0417', subject: 'prop-1' }]),
  { id: 'q2', kind: 'call', grade: 3, title: '叫应超时 · 坳下社区书记', title_en: 'No answer: Aoxia secretary', line: '2 次未答，应改呼街道带班', line_en: '2 tries; next is the subdistrict leader', due_at: new Date(T0 + 1.2 * MIN).toISOString(), at: iso(3 * MIN), claimed_by: null, site: 'site-LH-B-0417', subject: 'step-2' },
  { id: 'q3', kind: 'proposal', grade: 3, title: '布心路下穿通道 封路', title_en: 'Buxin Rd underpass: close road', line: '水深 31 cm，10 分钟涨 9 cm', line_en: 'Depth 31 cm, up 9 cm in 10 min', due_at: new Date(T0 + 4.5 * MIN).toISOString(), at: iso(5 * MIN), claimed_by: { id: 'p2', name: '值守员乙' }, site: 'site-F-01', subject: 'prop-2' },
  { id: 'q4', kind: 'proposal', grade: 2, title: '深圳水库 闸前水位 升黄', title_en: 'Shenzhen Reservoir: to yellow', line: '27.42 m，距汛限 0.18 m', line_en: '27.42 m, 0.18 m below flood limit', due_at: new Date(T0 + 11 * MIN).toISOString(), at: iso(8 * MIN), claimed_by: null, site: 'site-R-01', subject: 'prop-3' },
  { id: 'q5', kind: 'task', grade: 2, title: '初报待审 · 仙桐公园险情', title_en: 'Review first report: Xiantong', line: '草稿已成，须报市局', line_en: 'Draft ready; city wants it', due_at: new Date(T0 + 22.9 * MIN).toISOString(), at: iso(6 * MIN), claimed_by: { id: 'p3', name: '值守员甲' }, site: null, subject: 'task-9' },
  { id: 'q6', kind: 'silence', grade: 1, title: '西岭社区 3 只大喇叭无回执', title_en: 'Xiling: 3 loudspeakers silent', line: '27 分前起无应答，已改短信', line_en: 'No receipt for 27 min, SMS sent instead', due_at: new Date(T0 + 28 * MIN).toISOString(), at: iso(27 * MIN), claimed_by: null, site: 'site-S-02', subject: 'sil-6' },
  { id: 'q7', kind: 'silence', grade: 0, title: 'LH-G-0093 读数停 41 分', title_en: 'LH-G-0093: no data for 41 min', line: '旧值不参与研判，须派人核', line_en: 'Old value not used; send someone', due_at: null, at: iso(41 * MIN), claimed_by: null, site: 'site-S-02', subject: 'sil-7' },
]
