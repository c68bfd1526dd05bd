/** Small geometry on WGS-84 degrees, good to a few metres over a district. */
import type { Feature, FeatureCollection, Geometry, Polygon, Position } from 'geojson'

const METRES_PER_DEGREE = 111_320 // of latitude; mean Earth radius 6,371 km

/** A circle of `metres` as a polygon of `n` corners. */
export function circle(lon: number, lat: number, metres: number, n = 48): Polygon {
  const dy = metres / METRES_PER_DEGREE
  const dx = dy / Math.cos((lat * Math.PI) / 180)
  const ring: Position[] = Array.from({ length: n + 1 }, (_, i) => [lon + dx * Math.cos((2 * Math.PI * i) / n), lat + dy * Math.sin((2 * Math.PI * i) / n)])
  return { type: 'Polygon', coordinates: [ring] }
}
/** Every position of a geometry. */
export function positions(g: Geometry | null | undefined): Position[] {
  if (!g) return []
  if (g.type === 'GeometryCollection') return g.geometries.flatMap(positions)
  const flat = (c: unknown): Position[] => (Array.isArray(c) && typeof c[0] === 'number' ? [c as Position] : Array.isArray(c) ? c.flatMap(flat) : [])
  return flat(g.coordinates)
}
/** [west, south, east, north] of positions, or null of none. */
export function bounds(points: Position[]): [number, number, number, number] | null {
  if (!points.length) return null
  let [w, s, e, n] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const [x, y] of points as [number, number][]) {
    if (x < w) w = x
    if (x > e) e = x
    if (y < s) s = y
    if (y > n) n = y
  }
  return [w, s, e, n]
}
export const collection = (features: Feature[]): FeatureCollection => ({ type: 'FeatureCollection', features })
export const point = (lon: number, lat: number, properties: Record<string, unknown>, id?: number | string): Feature => ({ type: 'Feature', ...(id !== undefined ? { id } : {}), properties, geometry: { type: 'Point', coordinates: [lon, lat] } })
/** Metres of one pixel at a latitude and zoom (tiles of 512 px). */
export const metresPerPixel = (lat: number, zoom: number): number => (40_075_016.7 * Math.cos((lat * Math.PI) / 180)) / (512 * 2 ** zoom)
