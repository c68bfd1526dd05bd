/** Figures: SI from the API in, shown unit out. */
import { latinName } from './english'
import type { Lang } from './time'
import { named } from './words'

export interface QuantityWord { zh: string; en: string; unit: string; factor: number; digits: number; offset?: number }
/** Shown unit of a quantity; factor from SI (sources: the platform's own quantity table, base/quantity.py). */
export const QUANTITY: Record<string, QuantityWord> = {
  displacement: { zh: '位移', en: 'Displacement', unit: 'mm', factor: 1e3, digits: 1 }, crack_width: { zh: '裂缝宽度', en: 'Crack width', unit: 'mm', factor: 1e3, digits: 1 },
  tilt: { zh: '倾角', en: 'Tilt', unit: '°', factor: 57.29577951308232, digits: 2 }, rainfall: { zh: '雨量', en: 'Rainfall', unit: 'mm', factor: 1e3, digits: 1 },
  water_level: { zh: '水位', en: 'Water level', unit: 'm', factor: 1, digits: 2 }, water_depth: { zh: '积水深', en: 'Water depth', unit: 'cm', factor: 1e2, digits: 0 },
  soil_moisture: { zh: '土壤含水率', en: 'Soil moisture', unit: '%', factor: 1e2, digits: 1 }, pore_pressure: { zh: '孔隙水压力', en: 'Pore pressure', unit: 'kPa', factor: 1e-3, digits: 1 },
  acceleration: { zh: '加速度', en: 'Acceleration', unit: 'm/s²', factor: 1, digits: 3 }, gas_concentration: { zh: '气体浓度', en: 'Gas', unit: 'ppm', factor: 1e6, digits: 0 },
  temperature: { zh: '温度', en: 'Temperature', unit: '°C', factor: 1, offset: -273.15, digits: 1 }, relative_humidity: { zh: '相对湿度', en: 'Humidity', unit: '%', factor: 1e2, digits: 0 },
  pressure: { zh: '压力', en: 'Pressure', unit: 'kPa', factor: 1e-3, digits: 1 }, wind_speed: { zh: '风速', en: 'Wind speed', unit: 'm/s', factor: 1, digits: 1 },
  residual_current: { zh: '剩余电流', en: 'Residual current', unit: 'mA', factor: 1e3, digits: 0 }, smoke_obscuration: { zh: '烟雾减光系数', en: 'Smoke', unit: '1/m', factor: 1, digits: 2 },
  alarm_state: { zh: '报警状态', en: 'Alarm state', unit: '', factor: 1, digits: 0 }, flow_rate: { zh: '流量', en: 'Flow', unit: 'm³/s', factor: 1, digits: 1 },
  battery_voltage: { zh: '电池电压', en: 'Battery', unit: 'V', factor: 1, digits: 1 }, current: { zh: '电流', en: 'Current', unit: 'A', factor: 1, digits: 1 }, voltage: { zh: '电压', en: 'Voltage', unit: 'V', factor: 1, digits: 1 },
}
const NUMBERED = ['', ...Object.keys(QUANTITY)]
/** The quantity's name from its stable number. */
export const quantityName = (q: number | string): string => (typeof q === 'number' ? (NUMBERED[q] ?? String(q)) : q)
export const quantity = (name: string): QuantityWord => QUANTITY[name] ?? { zh: name, en: name, unit: '', factor: 1, digits: 2 }
/** SI value in the shown unit, as a number. */
export const shown = (name: string, si: number): number => si * quantity(name).factor + (quantity(name).offset ?? 0)
/** A figure with thousands marks and fixed digits; a missing one is a dash. */
export function figure(value: number | null | undefined, digits = 0): string {
  return value == null || !Number.isFinite(value) ? '—' : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
/** Share of a whole in percent with one digit; never 100.0 unless it is whole. */
export function percent(part: number, whole: number): string {
  if (!whole) return '—'
  const share = (100 * part) / whole
  return `${(part < whole ? Math.min(share, 99.9) : share).toFixed(1).replace(/\.0$/, '')}%`
}
/** A record's name in the language, falling back to the other rather than to nothing. */
export function nameOf(o: { name?: string | null; name_en?: string | null; title?: string | null; title_en?: string | null; zh?: string; en?: string } | null | undefined, lang: Lang): string {
  if (!o) return ''
  const zh = o.name ?? o.title ?? o.zh ?? ''
  const en = o.name_en || o.title_en || o.en || ''
  return lang === 'en' ? latinName(en || zh) : zh || en
}
/** The words of a reference: `{id, name}`, `{id, label}` or plain text. */
export const refName = (v: { name?: string; label?: string } | string | null | undefined): string => named(v == null ? '' : typeof v === 'string' ? v : (v.name ?? v.label ?? ''))
export const QUALITY: [string, string][] = [['好', 'good'], ['可疑', 'suspect'], ['坏', 'bad'], ['缺', 'missing'], ['估', 'estimated']]
