/** Hill shading painted once per tile instead of in every frame: the map's own shader costs some 200 ms a frame without a graphics card. */
import * as maplibregl from 'maplibre-gl'
import { token } from '@/kit/theme'

export const SHADE = 'anlan-shade'
const EARTH_M = 40_075_016.7 // circumference at the equator, WGS 84
const SUN = { azimuth: (315 * Math.PI) / 180, altitude: (45 * Math.PI) / 180 } // the cartographic convention: light from the north-west
const STRENGTH = 1.9 // vertical exaggeration of the slope; low hills would vanish without it
const DARK = 0.75
const LIGHT = 0.3

const rgb = (hex: string): [number, number, number] => { const n = parseInt(hex.slice(1), 16); return [(n >> 16) & 255, (n >> 8) & 255, n & 255] }

/** RGBA of the shading for heights (metres) on a grid of `size`, cells of `cell` metres; transparent where the ground is flat. */
export function shaded(height: Float32Array, size: number, cell: number, dark: [number, number, number], light: [number, number, number]): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(size * size * 4)
  const flat = Math.sin(SUN.altitude)
  for (let y = 0; y < size; y++) {
    const up = Math.max(0, y - 1) * size
    const down = Math.min(size - 1, y + 1) * size
    for (let x = 0; x < size; x++) {
      const left = Math.max(0, x - 1)
      const right = Math.min(size - 1, x + 1)
      const dx = ((height[y * size + right]! - height[y * size + left]!) / ((right - left) * cell)) * STRENGTH
      const dy = ((height[down + x]! - height[up + x]!) / (((down - up) / size) * cell)) * STRENGTH
      // Lambert: the surface normal (-dx, dy, 1), north up, against the direction of the light
      const lit = (-dx * Math.sin(SUN.azimuth) * Math.cos(SUN.altitude) + dy * Math.cos(SUN.azimuth) * Math.cos(SUN.altitude) + flat) / Math.sqrt(1 + dx * dx + dy * dy)
      const d = lit - flat
      const colour = d < 0 ? dark : light
      const i = (y * size + x) * 4
      out[i] = colour[0]
      out[i + 1] = colour[1]
      out[i + 2] = colour[2]
      out[i + 3] = 255 * Math.min(1, d < 0 ? (-d / flat) * DARK : (d / (1 - flat)) * LIGHT)
    }
  }
  return out
}
/** Fetches a terrarium tile and answers with its shading as PNG; the address ends in `#z/y`. */
async function tile(request: { url: string }, abort: AbortController): Promise<{ data: ArrayBuffer }> {
  const [address = '', place = ''] = request.url.slice(SHADE.length + 3).split('#')
  const [z = 0, row = 0] = place.split('/').map(Number)
  const answer = await fetch(address, { signal: abort.signal, credentials: 'same-origin' })
  if (!answer.ok) throw new Error(`terrain ${answer.status}`)
  const image = await createImageBitmap(await answer.blob(), { colorSpaceConversion: 'none', premultiplyAlpha: 'none' })
  const size = image.width
  const canvas = new OffscreenCanvas(size, size)
  const c = canvas.getContext('2d', { willReadFrequently: true })!
  c.drawImage(image, 0, 0)
  const raw = c.getImageData(0, 0, size, size).data
  const height = new Float32Array(size * size)
  for (let i = 0; i < height.length; i++) height[i] = raw[i * 4]! * 256 + raw[i * 4 + 1]! + raw[i * 4 + 2]! / 256 - 32_768 // terrarium encoding
  const lat = Math.atan(Math.sinh(Math.PI * (1 - (2 * (row + 0.5)) / 2 ** z)))
  const cell = (EARTH_M * Math.cos(lat)) / 2 ** z / size
  c.putImageData(new ImageData(shaded(height, size, cell, rgb(token('--m-shadow')), rgb(token('--m-light'))), size, size), 0, 0)
  return { data: await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer() }
}
let known = false
/** Lets maps ask for shaded tiles (once). */
export function serveShade(): void {
  if (known) return
  known = true
  maplibregl.addProtocol(SHADE, tile)
}
