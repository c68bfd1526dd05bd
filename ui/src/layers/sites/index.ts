import { MAP_FONT } from '@/map/style'
import { nameOf } from '@/kit/format'
import { gradeWord, MAP_SIZE, STATE_WORD, symbolState } from '@/kit/symbols'
import { token } from '@/kit/theme'
import { pick } from '@/kit/words'
import { collection, point } from '@/map/geo'
import { symbolImage } from '@/map/images'
import { EMPTY, setData, type MapLayer } from '@/map/layer'

/** Sites with a state and key targets; outline hatched while a grade stands. */
export default {
  order: 50, rank: 1, on: true, zh: '边坡与重点', en: 'Slopes, key sites', ids: ['sites', 'site-body', 'site-line', 'sites-selected'],
  hit: { layers: ['sites', 'site-body'], kind: 'site' },
  add(map) {
    map.addSource('sites', { type: 'geojson', data: EMPTY })
    map.addSource('site-bodies', { type: 'geojson', data: EMPTY })
    map.addLayer({ id: 'site-body', type: 'fill', source: 'site-bodies', minzoom: 12.5, paint: { 'fill-pattern': ['get', 'hatch'] } })
    map.addLayer({ id: 'site-line', type: 'line', source: 'site-bodies', minzoom: 12.5, paint: { 'line-color': ['get', 'colour'], 'line-width': 1.2 } })
    map.addLayer({ id: 'sites-selected', type: 'circle', source: 'sites', filter: ['==', ['get', 'selected'], true], paint: { 'circle-radius': 24, 'circle-color': token('--accent'), 'circle-opacity': 0.1, 'circle-stroke-color': token('--accent'), 'circle-stroke-width': 1.5 } })
    map.addLayer({
      id: 'sites', type: 'symbol', source: 'sites',
      layout: {
        'icon-image': ['get', 'icon'], 'icon-allow-overlap': true, 'symbol-sort-key': ['-', 10, ['get', 'rank']], 'text-font': MAP_FONT, 'text-size': ['case', ['>=', ['get', 'rank'], 4], 15, 12.5],
        'text-field': ['step', ['zoom'], ['case', ['>=', ['get', 'rank'], 3], ['get', 'label'], ''], 11.5, ['case', ['>=', ['get', 'rank'], 1], ['get', 'label'], ''], 13.5, ['get', 'label']],
        'text-variable-anchor-offset': ['left', [1.5, 0], 'right', [-1.5, 0], 'top', [0, 1.5], 'bottom', [0, -1.5]], 'text-justify': 'auto', 'text-optional': true, 'text-max-width': 14,
      },
      paint: { 'text-color': token('--t-1'), 'text-halo-color': token('--m-halo'), 'text-halo-width': 1.8 },
    })
  },
  update(map, { objects, lang, selected }) {
    if (!objects) return
    const points = []
    const bodies = []
    for (const s of objects.sites) {
      const worst = Math.max(Number(s.grade) || 0, s.proposed ?? 0, s.warning ?? 0)
      const state = symbolState(s.state, worst)
      const word = gradeWord(worst)
      const rank = ['ok', 'blue', 'yellow', 'orange', 'red'].indexOf(word)
      const note = rank > 0 && s.proposal && (s.proposed ?? worst) >= worst && (s.warning ?? 0) < worst ? pick(`建议${STATE_WORD[state][0]}`, `Proposed ${STATE_WORD[state][1].toLowerCase()}`) : (s.warning ?? 0) > 0 && s.warning === worst ? pick(`${STATE_WORD[state][0]}色生效`, `${STATE_WORD[state][1]} in force`) : ''
      const label = nameOf(s, lang) + (note && rank >= 3 ? `\n${note}` : '')
      points.push(point(s.lon, s.lat, { id: s.id, icon: symbolImage(state, s.kind, MAP_SIZE[state]), rank, label, selected: selected?.kind === 'site' && selected.id === s.id }))
      if (s.geometry && rank > 0) bodies.push({ type: 'Feature' as const, properties: { id: s.id, hatch: `hatch|--${word}-text`, colour: token(`--${word}-text`) }, geometry: s.geometry })
    }
    setData(map, 'sites', collection(points))
    setData(map, 'site-bodies', collection(bodies))
  },
} satisfies MapLayer
