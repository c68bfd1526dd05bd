import { placeLayer } from '@/map/places'
export default placeLayer('shelters', { order: 58, rank: 8, zh: '安置点', en: 'Shelters', glyph: 'shelter', rows: (d) => d.shelters, line: (p) => (p.capacity ? `${p.occupancy ?? 0} / ${p.capacity}` : '') })
