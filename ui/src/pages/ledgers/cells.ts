/** How a ledger's values are shown and read back, by the column's own description. */
import type { LedgerColumn } from '@/api/types'
import { gradeWord, STATE_WORD } from '@/kit/symbols'
import { dayHm, type Lang } from '@/kit/time'

export interface Choice { value: string; zh: string; en: string }
export const choicesOf = (c: LedgerColumn): Choice[] => (c.choices ?? []).map((x) => (Array.isArray(x) ? { value: String(x[0]), zh: x[1], en: x[2] } : { ...x, value: String(x.value) }))

/** A value as text; a missing one is a dash. */
export function show(c: LedgerColumn, v: unknown, lang: Lang): string {
  if (v == null || v === '') return '—'
  const choice = choicesOf(c).find((x) => x.value === String(v))
  if (choice) return lang === 'zh' ? choice.zh : choice.en
  if (c.type === 'grade') return STATE_WORD[gradeWord(v as number)][lang === 'zh' ? 0 : 1]
  if (c.type === 'boolean') return v ? (lang === 'zh' ? '是' : 'Yes') : lang === 'zh' ? '否' : 'No'
  if (c.type === 'datetime') return dayHm(String(v), lang)
  if (typeof v === 'object') return 'label' in v ? String((v as { label: unknown }).label) : Array.isArray(v) ? v.join('、') : Object.entries(v).map(([k, x]) => `${k} ${typeof x === 'object' ? '…' : x}`).join('，') || '—'
  if (typeof v === 'number') return Number.isInteger(v) ? String(v) : String(Number(v.toPrecision(9)))
  return String(v)
}
export const isNumber = (c: LedgerColumn): boolean => c.type === 'number' || c.type === 'integer'
/** The form's starting text for a value. */
export function toField(c: LedgerColumn, v: unknown): string | boolean {
  if (c.type === 'boolean') return v === true
  if (v == null) return ''
  if (c.type === 'datetime') return new Date(Date.parse(String(v)) + 8 * 3600_000).toISOString().slice(0, 16)
  if (typeof v === 'object') return 'id' in v ? String((v as { id: unknown }).id) : JSON.stringify(v)
  return String(v)
}
/** What is sent to the server for the field's text. Times are read as Beijing time. */
export function fromField(c: LedgerColumn, text: string | boolean): unknown {
  if (typeof text === 'boolean') return text
  if (text === '') return c.type === 'text' || c.type === 'choice' ? '' : null
  if (isNumber(c)) return Number.isFinite(Number(text)) ? Number(text) : text
  if (c.type === 'datetime') return Number.isFinite(Date.parse(`${text}:00+08:00`)) ? new Date(`${text}:00+08:00`).toISOString() : text
  if (c.type === 'json') try { return JSON.parse(text) } catch { return text }
  if (c.type === 'grade') return Number(text)
  return text
}
