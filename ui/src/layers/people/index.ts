import { age, clockNow } from '@/kit/time'
import { placeLayer } from '@/map/places'
export default placeLayer('people', { order: 61, rank: 6, zh: '责任人', en: 'People', glyph: 'person', minzoom: 13, rows: (d) => d.people.map((p) => ({ ...p, name: p.post ?? p.name, name_en: p.post ? undefined : p.name_en })), line: (p, lang) => (p.seen_at ? age(p.seen_at, clockNow(), lang) : '') })
