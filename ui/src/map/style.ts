/** The base map: outline, terrain shading, streets and their names. Nothing comes from outside this server unless a setting says so. */
import type { StyleSpecification, LayerSpecification } from 'maplibre-gl'
import type { Feature, FeatureCollection, Geometry } from 'geojson'
import type { Division, MapBase } from '@/api/types'
import { nameOf } from '@/kit/format'
import { theme, token } from '@/kit/theme'
import { SHADE } from './shade'
import type { Lang } from '@/kit/time'

export const MAP_FONT = ['Inter Variable', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans SC Variable', 'sans-serif']
const areas = (rows: Division[]): FeatureCollection => ({ type: 'FeatureCollection', features: rows.filter((d) => d.geometry).map((d) => ({ type: 'Feature', properties: { code: d.code, level: d.level }, geometry: d.geometry as Geometry })) })
const labels = (rows: Division[], lang: Lang): FeatureCollection => ({
  type: 'FeatureCollection',
  features: rows.filter((d) => d.lon != null && d.lat != null).map((d): Feature => ({ type: 'Feature', properties: { name: nameOf(d, lang), level: d.level }, geometry: { type: 'Point', coordinates: [d.lon!, d.lat!] } })),
})
export const isStreet = (d: Division): boolean => d.code.length === 9 || ['street', 'township', 'town'].includes(d.level)
export const isCommunity = (d: Division): boolean => d.code.length === 12 || ['community', 'village'].includes(d.level)
export const isDistrict = (d: Division): boolean => d.code.length === 6 || ['district', 'county'].includes(d.level)

const text = (lang: Lang): Record<string, unknown> => ({ 'text-font': MAP_FONT, 'text-field': ['get', 'name'], 'text-letter-spacing': lang === 'zh' ? 0.08 : 0.02, 'text-max-width': 12, 'text-padding': 6 })

/** External layers set by the operator (WMTS/XYZ): `{name: url template}` or `{name: {tiles, attribution, maxzoom}}`. */
function external(base: MapBase): { sources: StyleSpecification['sources']; layers: LayerSpecification[] } {
  const sources: StyleSpecification['sources'] = {}
  const layers: LayerSpecification[] = []
  for (const [name, value] of Object.entries(base.layers ?? {})) {
    if (!value) continue
    const spec = typeof value === 'string' ? { tiles: [value] } : (value as { tiles?: string[]; url?: string; attribution?: string; maxzoom?: number })
    const tiles = spec.tiles ?? (spec.url ? [spec.url] : [])
    if (!tiles.length || !/\{z\}/.test(tiles[0]!)) continue
    sources[`ext-${name}`] = { type: 'raster', tiles, tileSize: 256, maxzoom: (spec as { maxzoom?: number }).maxzoom ?? 18, attribution: (spec as { attribution?: string }).attribution ?? '' }
    layers.push({ id: `ext-${name}`, type: 'raster', source: `ext-${name}`, paint: { 'raster-opacity': 0.6, 'raster-saturation': -0.7 } })
  }
  return { sources, layers }
}

export function baseStyle(base: MapBase, lang: Lang): StyleSpecification {
  const streets = base.divisions.filter(isStreet)
  const communities = base.divisions.filter(isCommunity)
  const district = base.divisions.filter((d) => isDistrict(d) && d.code === (base.district?.code.slice(0, 6) ?? d.code))
  const others = base.divisions.filter((d) => isDistrict(d) && !district.includes(d))
  const ext = external(base)
  const origin = window.location.origin
  const terrain = base.terrain
  const path = terrain?.tiles ?? terrain?.url ?? '/api/terrain/{z}/{x}/{y}.png'
  const layers: LayerSpecification[] = [{ id: 'out', type: 'background', paint: { 'background-color': token('--m-out') } }, { id: 'land', type: 'fill', source: 'district', paint: { 'fill-color': token('--m-land') } }, ...ext.layers]
  if (terrain)
    layers.push({
      id: 'shade', type: 'raster', source: 'terrain', paint: { 'raster-fade-duration': 0, 'raster-resampling': 'linear' },
    })
  layers.push(
    { id: 'others-line', type: 'line', source: 'others', paint: { 'line-color': token('--m-street'), 'line-opacity': 0.5, 'line-width': 0.8 } },
    { id: 'community-line', type: 'line', source: 'communities', minzoom: 13, paint: { 'line-color': token('--m-street'), 'line-opacity': 0.5, 'line-width': 0.6, 'line-dasharray': [2, 3] } },
    { id: 'street-line', type: 'line', source: 'streets', paint: { 'line-color': token('--m-street'), 'line-width': 1, 'line-dasharray': [5, 4], 'line-opacity': 0.9 } },
    { id: 'district-line', type: 'line', source: 'district', layout: { 'line-join': 'round' }, paint: { 'line-color': token('--m-border'), 'line-width': ['interpolate', ['linear'], ['zoom'], 9, 1, 15, 2.2] } },
    {
      id: 'community-label', type: 'symbol', source: 'community-labels', minzoom: 13.2, layout: { ...text(lang), 'text-size': ['interpolate', ['linear'], ['zoom'], 13, 11, 16, 14] },
      paint: { 'text-color': token('--m-label'), 'text-opacity': 0.8, 'text-halo-color': token('--m-halo'), 'text-halo-width': 1.4 },
    },
    {
      id: 'street-label', type: 'symbol', source: 'street-labels', minzoom: 10.2, layout: { ...text(lang), 'text-size': ['interpolate', ['linear'], ['zoom'], 10, 11, 14, 18], 'text-variable-anchor': ['center', 'top', 'bottom', 'left', 'right'], 'text-radial-offset': 1.5 },
      paint: { 'text-color': token('--m-label'), 'text-opacity': 0.9, 'text-halo-color': token('--m-halo'), 'text-halo-width': 1.6 },
    },
  )
  return {
    version: 8,
    sources: {
      ...ext.sources,
      district: { type: 'geojson', data: areas(district.length ? district : streets) },
      others: { type: 'geojson', data: areas(others) },
      streets: { type: 'geojson', data: areas(streets) },
      communities: { type: 'geojson', data: areas(communities) },
      'street-labels': { type: 'geojson', data: labels(streets, lang) },
      'community-labels': { type: 'geojson', data: labels(communities, lang) },
      ...(terrain ? { terrain: { type: 'raster' as const, tileSize: 512, tiles: (Array.isArray(path) ? path : [path]).map((p) => `${SHADE}://${p.startsWith('/') ? origin + p : p}#{z}/{y}/${theme.value}`), minzoom: terrain.minzoom ?? 8, maxzoom: terrain.maxzoom ?? 13, ...(terrain.bounds ? { bounds: terrain.bounds } : {}) } } : {}),
    },
    layers,
  }
}
