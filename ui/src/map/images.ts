/** Symbols as map images, painted on a canvas when the map first asks for one. Names: `sym|state|kind|size`, `icon|name|token|size`. */
import type { Map as GlMap } from 'maplibre-gl'
import { ICON } from '@/kit/icons'
import { drawing, type Part, type SymbolState } from '@/kit/symbols'
import { token } from '@/kit/theme'

export const symbolImage = (state: SymbolState, kind: string, size: number): string => `sym|${state}|${kind}|${size}`
export const iconImage = (name: string, colour: string, size: number): string => `icon|${name}|${colour}|${size}`
const RATIO = 2

function part(c: CanvasRenderingContext2D, p: Part): void {
  const path = new Path2D(p.d)
  c.globalAlpha = p.opacity ?? 1
  if (p.fill) {
    c.fillStyle = token(p.fill)
    c.fill(path)
  }
  if (p.stroke) {
    c.strokeStyle = token(p.stroke)
    c.lineWidth = p.w ?? 1
    c.setLineDash(p.dash ?? [])
    c.stroke(path)
  }
  c.setLineDash([])
  c.globalAlpha = 1
}
function canvas(size: number, halo: boolean): { c: CanvasRenderingContext2D; side: number } {
  const side = Math.ceil((size * (halo ? 1.7 : 1.2)) * RATIO)
  const el = document.createElement('canvas')
  el.width = el.height = side
  const c = el.getContext('2d')!
  c.lineJoin = c.lineCap = 'round'
  return { c, side }
}
/** One symbol with its halo, centred. */
export function paintSymbol(state: SymbolState, kind: string, size: number): ImageData {
  const { c, side } = canvas(size, true)
  const unit = (size * RATIO) / 16
  c.translate(side / 2 - 8 * unit, side / 2 - 8 * unit)
  c.scale(unit, unit)
  c.fillStyle = token('--m-halo')
  c.globalAlpha = 0.55
  c.beginPath()
  c.arc(8, 8, 11, 0, 7)
  c.fill()
  c.globalAlpha = 1
  const d = drawing(state, kind, size)
  d.parts.forEach((p) => part(c, p))
  if (d.glyph) {
    c.save()
    c.translate(d.glyph.x, d.glyph.y)
    c.scale(d.glyph.scale, d.glyph.scale)
    part(c, { d: d.glyph.d, stroke: d.glyph.stroke, w: d.glyph.w, opacity: d.glyph.opacity })
    c.restore()
  }
  d.badge.forEach((p) => part(c, p))
  return c.getImageData(0, 0, side, side)
}
function paintIcon(name: string, colour: string, size: number): ImageData {
  const { c, side } = canvas(size, false)
  const unit = (size * RATIO) / 20
  c.translate(side / 2 - 10 * unit, side / 2 - 10 * unit)
  c.scale(unit, unit)
  part(c, { d: ICON[name] ?? '', stroke: colour, w: 1.8 })
  return c.getImageData(0, 0, side, side)
}
/** A hatch of 45 degrees, for the sliding body. */
function paintHatch(colour: string): ImageData {
  const el = document.createElement('canvas')
  el.width = el.height = 16
  const c = el.getContext('2d')!
  c.strokeStyle = token(colour)
  c.lineWidth = 2
  c.globalAlpha = 0.75
  for (const x of [-16, 0, 16]) {
    c.beginPath()
    c.moveTo(x, 16)
    c.lineTo(x + 16, 0)
    c.stroke()
  }
  return c.getImageData(0, 0, 16, 16)
}
/** Lets the map ask for symbols by name. */
export function serveImages(map: GlMap): void {
  map.setMissingStyleImageResolver((id) => {
    if (map.hasImage(id)) return
    const [what, a = '', b = '', c = ''] = id.split('|')
    const image = what === 'sym' ? paintSymbol(a as SymbolState, b, Number(c)) : what === 'icon' ? paintIcon(a, b, Number(c)) : what === 'hatch' ? paintHatch(a) : null
    if (image) map.addImage(id, image, { pixelRatio: RATIO })
  })
}
