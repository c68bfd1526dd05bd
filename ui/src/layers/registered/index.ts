import { token } from '@/kit/theme'
import type { MapLayer } from '@/map/layer'

/** Everything registered, as vector tiles: dim points, so that tens of thousands stay light. Colour only where there is a grade. */
const GRADE = ['match', ['to-string', ['get', 'grade']], ['4', 'red'], '--red-text', ['3', 'orange'], '--orange-text', ['2', 'yellow'], '--yellow-text', ['1', 'blue'], '--blue-text', '--normal']
const colour = (): unknown => GRADE.map((v) => (typeof v === 'string' && v.startsWith('--') ? token(v) : v))
export default {
  order: 15, rank: 7, on: true, zh: '全部在册测点', en: 'All registered', ids: ['registered'],
  add(map) {
    map.addSource('registered', { type: 'vector', tiles: [`${window.location.origin}/api/tiles/stations/{z}/{x}/{y}.mvt`], minzoom: 8, maxzoom: 15 })
    map.addLayer({
      id: 'registered', type: 'circle', source: 'registered', 'source-layer': 'stations', minzoom: 10.5,
      paint: { 'circle-radius': ['interpolate', ['linear'], ['zoom'], 10, 0.7, 13, 1.3, 16, 3], 'circle-color': colour() as string, 'circle-opacity': ['interpolate', ['linear'], ['zoom'], 10.5, 0.25, 14, 0.5] },
    })
  },
  update() {
    /* tiles change by themselves */
  },
} satisfies MapLayer
