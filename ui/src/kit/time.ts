/** Times on screen are Beijing time (UTC+8, no summer time); times in data are UTC. Ages and spans in words of both languages. */
import { ref } from 'vue'

export type Lang = 'zh' | 'en'
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const BEIJING_MS = 8 * HOUR
const MONTH = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** UTC ms of an ISO string or number; NaN when there is none. */
export const ms = (at: string | number | null | undefined): number => (at == null || at === '' ? NaN : typeof at === 'number' ? at : Date.parse(at))

const pad = (n: number) => String(n).padStart(2, '0')
const beijing = (at: string | number) => new Date(ms(at) + BEIJING_MS)

/** `14:05`, Beijing. A missing time is a dash, never an invented one. */
export function hm(at: string | number | null | undefined): string {
  if (!Number.isFinite(ms(at))) return '—'
  const d = beijing(at!)
  return `${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}`
}
/** `14:05:40`, Beijing. */
export function hms(at: string | number | null | undefined): string {
  if (!Number.isFinite(ms(at))) return '—'
  return `${hm(at)}:${pad(beijing(at!).getUTCSeconds())}`
}
/** `06-14` or `14 Jun`, Beijing. */
export function day(at: string | number | null | undefined, lang: Lang = 'zh'): string {
  if (!Number.isFinite(ms(at))) return '—'
  const d = beijing(at!)
  return lang === 'en' ? `${d.getUTCDate()} ${MONTH[d.getUTCMonth()]}` : `${pad(d.getUTCMonth() + 1)}-${pad(d.getUTCDate())}`
}
/** `06-14 14:05`, and with the year when it is another one. */
export function dayHm(at: string | number | null | undefined, lang: Lang = 'zh', now = Date.now()): string {
  if (!Number.isFinite(ms(at))) return '—'
  const year = beijing(at!).getUTCFullYear()
  const head = year === beijing(now).getUTCFullYear() ? '' : lang === 'en' ? '' : `${year}-`
  const tail = year === beijing(now).getUTCFullYear() || lang === 'zh' ? '' : ` ${year}`
  return `${head}${day(at, lang)}${tail} ${hm(at)}`
}
/** Time alone if it is today in Beijing, else with the day. */
export function when(at: string | number | null | undefined, lang: Lang = 'zh', now = Date.now()): string {
  if (!Number.isFinite(ms(at))) return '—'
  return Math.floor((ms(at) + BEIJING_MS) / DAY) === Math.floor((now + BEIJING_MS) / DAY) ? hm(at) : dayHm(at, lang, now)
}

/** A span as one rounded-down figure with its unit: `42 秒`, `5 分`, `3 时`, `2 天`. */
export function span(length: number, lang: Lang = 'zh'): string {
  if (!Number.isFinite(length)) return '—'
  const a = Math.abs(length)
  if (a < MINUTE) return `${Math.floor(a / 1000)} ${lang === 'zh' ? '秒' : 's'}`
  if (a < HOUR) return `${Math.floor(a / MINUTE)} ${lang === 'zh' ? '分' : 'min'}`
  if (a < 2 * DAY) return `${Math.floor(a / HOUR)} ${lang === 'zh' ? '时' : 'h'}`
  return `${Math.floor(a / DAY)} ${lang === 'zh' ? '天' : 'd'}`
}
/** How old something is; a time ahead of our clock by more than 5 s is said, not hidden. */
export function age(at: string | number | null | undefined, now: number, lang: Lang = 'zh'): string {
  const t = ms(at)
  if (!Number.isFinite(t)) return lang === 'zh' ? '从未' : 'never'
  if (t - now > Math.max(5000, 2500 * origin.speed)) return lang === 'zh' ? `时钟超前 ${span(t - now, lang)}` : `clock ahead ${span(t - now, lang)}`
  const s = span(Math.max(0, now - t), lang)
  return lang === 'zh' ? `${s}前` : `${s} ago`
}
/** How long nothing has come (ms): said beside a last value, so that it is not read as current. */
export const silentFor = (length: number, lang: Lang = 'zh'): string => (lang === 'zh' ? `静默 ${span(length, lang)}` : `silent for ${span(length, lang)}`)
/** A running clock `m:ss` (`h:mm:ss` from one hour on), always positive. */
export function clock(length: number): string {
  if (!Number.isFinite(length)) return '—'
  const s = Math.floor(Math.abs(length) / 1000)
  const h = Math.floor(s / 3600)
  return h ? `${h}:${pad(Math.floor((s % 3600) / 60))}:${pad(s % 60)}` : `${Math.floor(s / 60)}:${pad(s % 60)}`
}
export interface Left { text: string; late: boolean; near: boolean }
/** Time left to a limit: a clock under a day, a span above; late is said with a word. */
export function left(due: string | number | null | undefined, now: number, lang: Lang = 'zh'): Left {
  const t = ms(due)
  if (!Number.isFinite(t)) return { text: lang === 'zh' ? '无时限' : 'no limit', late: false, near: false }
  const d = t - now
  const figure = Math.abs(d) < DAY ? clock(d) : span(d, lang)
  if (d < 0) return { text: lang === 'zh' ? `迟 ${figure}` : `${figure} late`, late: true, near: true }
  return { text: lang === 'zh' ? `剩 ${figure}` : `${figure} left`, late: false, near: d < 10 * MINUTE }
}

/** The page tells time by the server's clock, which in a demonstration may run faster than the wall's. */
let origin = { server: Date.now(), here: Date.now(), speed: 1 }
/** UTC ms by the server's clock. */
export const clockNow = (): number => origin.server + (Date.now() - origin.here) * origin.speed
/** The same, ticking once a second for the screen. */
export const now = ref(clockNow())
export function setClock(clock: { now_ms: number; speed?: number } | null | undefined): void {
  if (!clock || !Number.isFinite(clock.now_ms)) return
  origin = { server: clock.now_ms, here: Date.now(), speed: clock.speed && clock.speed > 0 ? clock.speed : 1 }
}
/** Real ms until a moment of the server's clock. */
export const realUntil = (at: number): number => (at - clockNow()) / origin.speed
if (typeof window !== 'undefined') window.setInterval(() => (now.value = clockNow()), 1000)
