import { token } from '@/kit/theme'
import { circle, collection, point } from '@/map/geo'
import { iconImage } from '@/map/images'
import { EMPTY, setData, type MapLayer } from '@/map/layer'

/** Reach circles: filled = played, dashed = asked and awaiting, orange = silent, plain thin line = at rest. */
const PLAYED = new Set(['played', 'done', 'playing', 'replied'])
const AWAITING = new Set(['waiting', 'sent', 'acknowledged', 'awaiting', 'queued'])
const SILENT = new Set(['silent', 'failed', 'expired', 'offline'])
export const speakerState = (s: string): 'played' | 'awaiting' | 'silent' | 'rest' => (PLAYED.has(s) ? 'played' : AWAITING.has(s) ? 'awaiting' : SILENT.has(s) ? 'silent' : 'rest')
const TOKEN = { played: '--accent', awaiting: '--t-3', silent: '--orange-text', rest: '--t-3' }
export default {
  order: 30, rank: 3, on: true, zh: '大喇叭', en: 'Loudspeakers', ids: ['reach-fill', 'reach-line', 'reach-dash', 'reach-icon'],
  hit: { layers: ['reach-icon'], kind: 'loudspeaker' },
  legend: [{ swatch: 'circle', zh: '喇叭已播', en: 'Played' }, { swatch: 'dashed', zh: '等待回执', en: 'Awaiting receipt' }, { swatch: 'struck', zh: '无应答', en: 'Silent' }],
  add(map) {
    map.addSource('reach', { type: 'geojson', data: EMPTY })
    map.addSource('reach-points', { type: 'geojson', data: EMPTY })
    map.addLayer({ id: 'reach-fill', type: 'fill', source: 'reach', filter: ['==', ['get', 'state'], 'played'], paint: { 'fill-color': token('--accent'), 'fill-opacity': 0.13 } })
    map.addLayer({ id: 'reach-line', type: 'line', source: 'reach', filter: ['in', ['get', 'state'], ['literal', ['played', 'silent', 'rest']]], paint: { 'line-color': ['get', 'colour'], 'line-width': 1.2, 'line-opacity': ['match', ['get', 'state'], 'rest', 0.18, 0.6] } })
    map.addLayer({ id: 'reach-dash', type: 'line', source: 'reach', filter: ['==', ['get', 'state'], 'awaiting'], paint: { 'line-color': ['get', 'colour'], 'line-width': 1.2, 'line-dasharray': [3, 2.5] } })
    map.addLayer({ id: 'reach-icon', type: 'symbol', source: 'reach-points', minzoom: 12.5, layout: { 'icon-image': ['get', 'icon'], 'icon-allow-overlap': true }, paint: { 'icon-opacity': ['match', ['get', 'state'], 'rest', 0.6, 1] } })
  },
  update(map, { objects }) {
    if (!objects) return
    const rows = objects.loudspeakers.map((l) => ({ ...l, s: speakerState(l.state) }))
    setData(map, 'reach', collection(rows.filter((l) => l.reach_m).map((l) => ({ type: 'Feature', properties: { id: l.id, state: l.s, colour: token(TOKEN[l.s]) }, geometry: circle(l.lon, l.lat, l.reach_m!) }))))
    setData(map, 'reach-points', collection(rows.map((l) => point(l.lon, l.lat, { id: l.id, state: l.s, icon: iconImage('speaker', TOKEN[l.s], 16) }))))
  },
} satisfies MapLayer
