// Ground of the mock: an outline (a real one from ANLAN_SHARED when set, else a drawn one), streets by nearest seat, terrain tiles.
import { existsSync, readFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'

export const random = (seed) => () => (seed = (seed * 16807) % 2147483647) / 2147483647
const rnd = random(7)
const STREETS = [['桂园街道', 'Guiyuan', 114.107, 22.546], ['黄贝街道', 'Huangbei', 114.137, 22.545], ['东门街道', 'Dongmen', 114.121, 22.545], ['翠竹街道', 'Cuizhu', 114.132, 22.561], ['东晓街道', 'Dongxiao', 114.137, 22.585], ['南湖街道', 'Nanhu', 114.12, 22.535], ['笋岗街道', 'Sungang', 114.11, 22.562], ['东湖街道', 'Donghu', 114.152, 22.58], ['莲塘街道', 'Liantang', 114.178, 22.563], ['清水河街道', 'Qingshuihe', 114.108, 22.58]]

function outline() {
  const shared = process.env.ANLAN_SHARED
  const file = shared && `${shared}/data/geo/shenzhen_districts_wgs84.geojson`
  if (file && existsSync(file)) {
    const all = JSON.parse(readFileSync(file, 'utf8')).features
    return { own: all.find((f) => f.properties.qh === '罗湖').geometry, near: all.filter((f) => f.properties.qh !== '罗湖') }
  }
  const ring = Array.from({ length: 90 }, (_, i) => { const a = (i / 90) * 2 * Math.PI; const r = 0.04 + 0.008 * Math.sin(3 * a) + 0.004 * Math.sin(7 * a); return [114.143 + r * 1.25 * Math.cos(a), 22.567 + r * 0.8 * Math.sin(a)] })
  return { own: { type: 'Polygon', coordinates: [[...ring, ring[0]]] }, near: [] }
}
const { own, near } = outline()
const ring = own.coordinates[0]
const inside = (x, y) => { let c = false; for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) { const [a, b] = ring[i]; const [p, q] = ring[j]; if (b > y !== q > y && x < ((p - a) * (y - b)) / (q - b) + a) c = !c } return c }
// half-plane clipping gives the street cells
const clip = (poly, a, b) => { const mx = (a[0] + b[0]) / 2; const my = (a[1] + b[1]) / 2; const side = (p) => (p[0] - mx) * (b[0] - a[0]) + (p[1] - my) * (b[1] - a[1]); const out = []; poly.forEach((p, i) => { const q = poly[(i + 1) % poly.length]; const s = side(p); const t = side(q); if (s <= 0) out.push(p); if (s * t < 0) { const k = s / (s - t); out.push([p[0] + k * (q[0] - p[0]), p[1] + k * (q[1] - p[1])]) } }); return out }
const cell = (k) => { let poly = ring.slice(0, -1); STREETS.forEach((s, i) => { if (i !== k) poly = clip(poly, STREETS[k].slice(2), s.slice(2)) }); return poly }
export const divisions = [{ code: '440303', name: '罗湖区', name_en: 'Luohu', level: 'district', geometry: own, lon: 114.143, lat: 22.578, schematic: false }]
near.forEach((f, i) => divisions.push({ code: `44039${i}`, name: `${f.properties.qh}区`, name_en: '', level: 'district', geometry: f.geometry, lon: f.properties.centroid_x, lat: f.properties.centroid_y, schematic: false }))
const COMMUNITY = ['仙湖', '鹏兴', '坳下', '西岭', '长岭', '国威', '莲花', '港莲', '碧波', '新平', '布心']
STREETS.forEach(([name, name_en, lon, lat], k) => {
  const code = `4403030${String(k + 1).padStart(2, '0')}`
  const poly = cell(k)
  divisions.push({ code, name, name_en, level: 'street', geometry: poly.length > 2 ? { type: 'Polygon', coordinates: [[...poly, poly[0]]] } : null, lon, lat, schematic: true })
  for (let i = 0; i < 11; i++) { const x = lon + (rnd() - 0.5) * 0.03; const y = lat + (rnd() - 0.5) * 0.022; if (inside(x, y)) divisions.push({ code: `${code}${String(i + 1).padStart(3, '0')}`, name: `${COMMUNITY[(i + k) % 11]}社区`, name_en: ['Xianhu', 'Pengxing', 'Aoxia', 'Xiling', 'Changling', 'Guowei', 'Lianhua', 'Ganglian', 'Bibo', 'Xinping', 'Buxin'][(i + k) % 11], level: 'community', geometry: null, lon: x, lat: y, schematic: true }) }
})
export const base = { district: { code: '440303', name: '罗湖区', name_en: 'Luohu' }, divisions, terrain: { minzoom: 9, maxzoom: 13 }, center: null, zoom: null, layers: {}, demo: true }
export const isInside = inside

// terrain: sums of smooth noise, a ridge in the north-east; terrarium encoding
const hash = (x, y) => { const s = Math.sin(x * 127.1 + y * 311.7) * 43758.5453; return s - Math.floor(s) }
const noise = (x, y) => { const i = Math.floor(x); const j = Math.floor(y); const f = (t) => t * t * (3 - 2 * t); const u = f(x - i); const v = f(y - j); return (hash(i, j) * (1 - u) + hash(i + 1, j) * u) * (1 - v) + (hash(i, j + 1) * (1 - u) + hash(i + 1, j + 1) * u) * v }
const height = (lon, lat) => { let h = 0; let a = 1; let f = 60; for (let o = 0; o < 6; o++) { h += a * Math.abs(noise(lon * f, lat * f) - 0.5) * 2; a *= 0.5; f *= 2.1 } const ridge = Math.exp(-(((lon - 114.205) / 0.04) ** 2) - ((lat - 22.585) / 0.024) ** 2); return Math.max(4, 900 * ridge * (1.25 - 0.55 * h) + 30 * (2 - h) * (0.15 + ridge)) }
const crcTable = Array.from({ length: 256 }, (_, n) => { let c = n; for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1; return c >>> 0 })
const crc = (b) => { let c = ~0; for (const x of b) c = crcTable[(c ^ x) & 255] ^ (c >>> 8); return (~c) >>> 0 }
const chunk = (type, data) => { const b = Buffer.concat([Buffer.from(type), data]); const out = Buffer.alloc(b.length + 8); out.writeUInt32BE(data.length, 0); b.copy(out, 4); out.writeUInt32BE(crc(b), b.length + 4); return out }
const cache = new Map()
export function terrain(z, x, y) {
  const key = `${z}/${x}/${y}`
  if (cache.has(key)) return cache.get(key)
  const n = 256
  const raw = Buffer.alloc(n * (n * 3 + 1))
  const lonOf = (px) => ((x + px / n) / 2 ** z) * 360 - 180
  const latOf = (py) => (Math.atan(Math.sinh(Math.PI * (1 - (2 * (y + py / n)) / 2 ** z))) * 180) / Math.PI
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) { const v = height(lonOf(i + 0.5), latOf(j + 0.5)) + 32768; const o = j * (n * 3 + 1) + 1 + i * 3; raw[o] = v / 256; raw[o + 1] = v % 256; raw[o + 2] = (v % 1) * 256 }
  const head = Buffer.alloc(13); head.writeUInt32BE(n, 0); head.writeUInt32BE(n, 4); head[8] = 8; head[9] = 2
  const png = Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(raw, { level: 1 })), chunk('IEND', Buffer.alloc(0))])
  cache.set(key, png)
  return png
}
