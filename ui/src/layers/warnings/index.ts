import type { Feature } from 'geojson'
import { gradeWord } from '@/kit/symbols'
import { token } from '@/kit/theme'
import { collection } from '@/map/geo'
import { EMPTY, setData, type MapLayer } from '@/map/layer'

/** Areas under warning: outline and wash in the grade's colour; a proposed one is dashed and not washed. */
export default {
  order: 20, rank: 4, on: true, zh: '预警范围', en: 'Warnings', ids: ['warning-fill', 'warning-line', 'warning-dash'],
  hit: { layers: ['warning-fill'], kind: 'warning' },
  add(map) {
    map.addSource('warnings', { type: 'geojson', data: EMPTY })
    map.addLayer({ id: 'warning-fill', type: 'fill', source: 'warnings', paint: { 'fill-color': ['get', 'colour'], 'fill-opacity': ['case', ['get', 'proposed'], 0.02, 0.1] } })
    map.addLayer({ id: 'warning-line', type: 'line', source: 'warnings', filter: ['!', ['get', 'proposed']], layout: { 'line-join': 'round' }, paint: { 'line-color': ['get', 'colour'], 'line-width': 2.2 } })
    map.addLayer({ id: 'warning-dash', type: 'line', source: 'warnings', filter: ['get', 'proposed'], layout: { 'line-join': 'round' }, paint: { 'line-color': ['get', 'colour'], 'line-width': 2, 'line-dasharray': [3, 2] } })
  },
  update(map, { objects }) {
    const rows = (objects?.warnings ?? []).filter((w) => w.area)
    const features: Feature[] = rows.map((w) => ({ type: 'Feature', properties: { id: w.id, proposed: w.proposed === true || w.state === 'proposed', colour: token(`--${gradeWord(w.grade) === 'ok' ? 'blue' : gradeWord(w.grade)}-text`) }, geometry: w.area! }))
    setData(map, 'warnings', collection(features))
  },
} satisfies MapLayer
