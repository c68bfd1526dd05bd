/** What a layer folder exports; found by scan of layers/<name>/index.ts. */
import type { FeatureCollection } from 'geojson'
import type { GeoJSONSource, Map as GlMap } from 'maplibre-gl'
import type { MapObjects, StationColumns } from '@/api/types'
import type { Lang } from '@/kit/time'

export interface MapData { stations: StationColumns | null; objects: MapObjects | null; lang: Lang; selected: Selection | null }
export interface Selection { kind: string; id: string }
export interface LegendItem { swatch: 'sym' | 'circle' | 'ring' | 'dashed' | 'struck' | 'line' | 'box'; state?: string; kind?: string; colour?: string; zh: string; en: string }
export interface MapLayer {
  /** Drawing order, small below. */
  order: number
  /** Shown at first. */
  on: boolean
  /** Rank in the switcher: the first four stand open. */
  rank: number
  zh: string
  en: string
  legend?: LegendItem[]
  /** Layers that answer a click, and what they select. */
  hit?: { layers: string[]; kind: string }
  add(map: GlMap): void
  update(map: GlMap, data: MapData): void
  /** Layer ids, for showing and hiding. */
  ids: string[]
}
export function setData(map: GlMap, source: string, data: FeatureCollection): void {
  const s = map.getSource(source) as GeoJSONSource | undefined
  s?.setData(data)
}
export const EMPTY: FeatureCollection = { type: 'FeatureCollection', features: [] }
const found = import.meta.glob<{ default: MapLayer }>('../layers/*/index.ts', { eager: true })
export const layers: (MapLayer & { name: string })[] = Object.entries(found).map(([path, m]) => ({ ...m.default, name: path.split('/').at(-2)! })).sort((a, b) => a.order - b.order)
