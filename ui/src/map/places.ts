/** Layers of places without a grade of their own (teams, shelters …): a ring with the glyph, trouble in words. */
import type { MapPlace } from '@/api/types'
import { nameOf } from '@/kit/format'
import { token } from '@/kit/theme'
import type { Lang } from '@/kit/time'
import { collection, point } from './geo'
import { symbolImage } from './images'
import { EMPTY, setData, type MapData, type MapLayer } from './layer'
import { MAP_FONT } from './style'

interface Options { order: number; rank: number; on?: boolean; zh: string; en: string; glyph: string; minzoom?: number; rows: (d: NonNullable<MapData['objects']>) => MapPlace[]; line?: (p: MapPlace, lang: Lang) => string }
export function placeLayer(name: string, o: Options): MapLayer {
  return {
    order: o.order, rank: o.rank, on: o.on ?? true, zh: o.zh, en: o.en, ids: [name], hit: { layers: [name], kind: name },
    legend: [{ swatch: 'sym', state: 'ok', kind: o.glyph, zh: o.zh, en: o.en }],
    add(map) {
      map.addSource(name, { type: 'geojson', data: EMPTY })
      map.addLayer({
        id: name, type: 'symbol', source: name, minzoom: o.minzoom ?? 12,
        layout: { 'icon-image': ['get', 'icon'], 'icon-allow-overlap': true, 'text-font': MAP_FONT, 'text-field': ['step', ['zoom'], '', 14, ['get', 'label']], 'text-size': 12, 'text-variable-anchor-offset': ['left', [1.2, 0], 'right', [-1.2, 0], 'top', [0, 1.2]], 'text-justify': 'auto', 'text-optional': true, 'text-max-width': 16 },
        paint: { 'text-color': token('--t-2'), 'text-halo-color': token('--m-halo'), 'text-halo-width': 1.6 },
      })
    },
    update(map, { objects, lang }) {
      if (!objects) return
      const rows = o.rows(objects).filter((p) => p.lon != null && p.lat != null)
      setData(map, name, collection(rows.map((p) => point(p.lon, p.lat, { id: p.id, icon: symbolImage(p.state === 'offline' ? 'offline' : 'ok', o.glyph, 20), label: [nameOf(p, lang), o.line?.(p, lang)].filter(Boolean).join('\n') }))))
    },
  }
}
