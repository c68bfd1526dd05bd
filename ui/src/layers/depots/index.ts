import { placeLayer } from '@/map/places'
export default placeLayer('depots', { order: 57, rank: 9, on: false, zh: '物资库', en: 'Depots', glyph: 'depot', rows: (d) => d.depots })
