/** Words: every page, panel and layer folder may hold a words.ts of pairs [zh, en]; they are found by scan, keyed by folder name. */
import { createI18n } from 'vue-i18n'
import { latinName, latinWithin, loadPinyin } from './english'
import type { Lang } from './time'

export type Words = Record<string, [string, string]>
const found = import.meta.glob<{ default: Words }>(['./words.*.ts', '../pages/*/words.ts', '../panels/*/words.ts', '../layers/*/words.ts'], { eager: true })

const messages: Record<Lang, Record<string, Record<string, string>>> = { zh: {}, en: {} }
for (const [path, module] of Object.entries(found)) {
  const file = /words\.(\w+)\.ts$/.exec(path)
  const space = file ? file[1]! : path.split('/').at(-2)!
  for (const [key, [zh, en]] of Object.entries(module.default)) {
    ;(messages.zh[space] ??= {})[key] = zh
    ;(messages.en[space] ??= {})[key] = en
  }
}
const stored = typeof localStorage === 'undefined' ? null : localStorage.getItem('anlan.lang')
export const i18n = createI18n({ legacy: false, locale: (stored === 'en' ? 'en' : 'zh') as Lang, fallbackLocale: 'zh', messages, missingWarn: false, fallbackWarn: false })

/** Chinese or English, remembered on this machine; English waits for the table that spells Chinese names. */
export async function setLang(lang: Lang): Promise<void> {
  localStorage.setItem('anlan.lang', lang)
  if (lang === 'en') await loadPinyin()
  i18n.global.locale.value = lang
  document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en'
}
export const lang = (): Lang => i18n.global.locale.value as Lang
/** The pair's word in the current language (for words that come with data). */
export const pick = (zh: string | undefined | null, en: string | undefined | null): string => (lang() === 'en' ? latinWithin(en || zh || '') : zh || en || '')
/** A name of a post, person, building or place that may exist in Chinese only. */
export const named = (name: string | undefined | null): string => (lang() === 'en' ? latinName(name ?? '') : (name ?? ''))
