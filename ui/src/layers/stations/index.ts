import type { Feature } from 'geojson'
import { MAP_FONT } from '@/map/style'
import { nameOf } from '@/kit/format'
import { gradeWord, MAP_SIZE, symbolState } from '@/kit/symbols'
import { token } from '@/kit/theme'
import { silentFor, type Lang } from '@/kit/time'
import { collection, point } from '@/map/geo'
import { symbolImage } from '@/map/images'
import { EMPTY, setData, type MapLayer } from '@/map/layer'
import type { StationColumns } from '@/api/types'

/** Live stations as points; what changed since the last call is patched, the rest is left alone. */
const shown = new Map<number, string>()
let drawnOn: unknown = null
let drawnIn: Lang | null = null

function feature(s: StationColumns, i: number, lang: Lang): Feature {
  const state = symbolState(s.state[i], s.grade[i])
  const rank = ['unknown', 'ok', 'stale', 'offline', 'blue', 'yellow', 'orange', 'red'].indexOf(state)
  const name = nameOf({ name: s.name[i], name_en: s.name_en[i] }, lang)
  const age = s.age_s[i]
  const silent = state === 'offline' || state === 'stale'
  const quiet = (silent || s.state[i] === 'offline') && age != null ? ` · ${silentFor(age * 1000, lang)}` : ''
  const label = gradeWord(s.grade[i]) !== 'ok' ? name + quiet : quiet ? `${s.code[i]}${quiet}` : ''
  const size = state === 'red' ? 20 : state === 'ok' || silent || state === 'unknown' ? 12 : 17
  return point(s.lon[i]!, s.lat[i]!, { id: s.id[i], n: s.number[i], small: symbolImage(state, '', size), large: symbolImage(state, s.kind[i]!, Math.min(24, MAP_SIZE[state])), label, full: name + quiet, rank, graded: rank >= 4 }, s.number[i])
}
export default {
  order: 40, rank: 2, on: true, zh: '测点', en: 'Stations', ids: ['stations', 'stations-selected'],
  hit: { layers: ['stations'], kind: 'station' },
  legend: [],
  add(map) {
    shown.clear()
    drawnOn = null
    map.addSource('stations', { type: 'geojson', data: EMPTY, promoteId: 'n' })
    map.addLayer({ id: 'stations-selected', type: 'circle', source: 'stations', paint: { 'circle-radius': 16, 'circle-color': token('--accent'), 'circle-opacity': ['case', ['boolean', ['feature-state', 'selected'], false], 0.18, ['boolean', ['feature-state', 'fresh'], false], 0.12, 0], 'circle-stroke-color': token('--accent'), 'circle-stroke-width': ['case', ['boolean', ['feature-state', 'selected'], false], 1.5, 0] } })
    map.addLayer({
      id: 'stations', type: 'symbol', source: 'stations',
      layout: {
        'icon-image': ['step', ['zoom'], ['get', 'small'], 15, ['get', 'large']], 'icon-allow-overlap': true, 'icon-ignore-placement': true, 'symbol-sort-key': ['get', 'rank'],
        'text-font': MAP_FONT, 'text-field': ['step', ['zoom'], '', 13.5, ['case', ['get', 'graded'], ['get', 'label'], ''], 14.5, ['get', 'label'], 16.5, ['get', 'full']], 'text-size': 12, 'text-anchor': 'left', 'text-offset': [1.1, 0], 'text-optional': true, 'text-max-width': 20, 'text-justify': 'left',
      },
      paint: { 'text-color': token('--t-1'), 'text-halo-color': token('--m-halo'), 'text-halo-width': 1.6, 'icon-opacity': ['case', ['boolean', ['feature-state', 'old'], false], 0.5, 1] },
    })
  },
  update(map, { stations: s, lang, selected }) {
    if (!s) return
    const source = map.getSource('stations') as import('maplibre-gl').GeoJSONSource | undefined
    if (!source) return
    const features = s.number.map((_, i) => feature(s, i, lang))
    if (drawnOn !== source || drawnIn !== lang || shown.size !== features.length) {
      setData(map, 'stations', collection(features))
      shown.clear()
      drawnOn = source
      drawnIn = lang
    } else {
      const update = features.filter((f) => shown.get(f.properties!.n as number) !== `${f.properties!.small}${f.properties!.label}`)
      if (update.length) void source.updateData({ update: update.map((f) => ({ id: f.properties!.n as number, addOrUpdateProperties: Object.entries(f.properties!).map(([key, value]) => ({ key, value })) })) })
    }
    for (const f of features) shown.set(f.properties!.n as number, `${f.properties!.small}${f.properties!.label}`)
    map.removeFeatureState({ source: 'stations' })
    const at = selected?.kind === 'station' ? s.id.indexOf(selected.id) : -1
    if (at >= 0) map.setFeatureState({ source: 'stations', id: s.number[at]! }, { selected: true })
  },
} satisfies MapLayer
