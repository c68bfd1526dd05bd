/** Dark desk, light office: each page names its own theme; a person may force one on this machine. */
import { darkTheme, type GlobalTheme, type GlobalThemeOverrides } from 'naive-ui'
import { computed, ref } from 'vue'

export type Theme = 'dark' | 'light'
const stored = typeof localStorage === 'undefined' ? null : localStorage.getItem('anlan.theme')
const forced = ref<Theme | null>(stored === 'dark' || stored === 'light' ? stored : null)
const page = ref<Theme>('dark')
export const theme = computed<Theme>(() => forced.value ?? page.value)

export function setPageTheme(wanted: Theme): void {
  page.value = wanted
  apply()
}
export function toggleTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark'
  forced.value = next === page.value ? null : next
  if (forced.value) localStorage.setItem('anlan.theme', forced.value)
  else localStorage.removeItem('anlan.theme')
  apply()
}
function apply(): void {
  document.documentElement.dataset.theme = theme.value
}
/** A token's value now, for canvas and map painting. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}
export const naive = computed<GlobalTheme | null>(() => (theme.value === 'dark' ? darkTheme : null))
const PALETTE = {
  dark: { accent: '#4cc9b4', hover: '#6fd6c5', pressed: '#38ad9a', body: '#0a1016', card: '#111a23', raised: '#18242f', t1: '#e8eef4', t2: '#aebcc9', t3: '#8799aa', line: '#22313f' },
  light: { accent: '#0a7566', hover: '#0d8f7d', pressed: '#075a4f', body: '#f3f6f9', card: '#ffffff', raised: '#eef2f6', t1: '#14202b', t2: '#455666', t3: '#586a7b', line: '#dae1e8' },
}
export const overrides = computed<GlobalThemeOverrides>(() => {
  const p = PALETTE[theme.value]
  return {
    common: {
      primaryColor: p.accent, primaryColorHover: p.hover, primaryColorPressed: p.pressed, primaryColorSuppl: p.accent, bodyColor: p.body, cardColor: p.card, modalColor: p.card, popoverColor: p.raised, tableColor: p.card,
      tableHeaderColor: p.card, inputColor: p.card, textColorBase: p.t1, textColor1: p.t1, textColor2: p.t1, textColor3: p.t3, placeholderColor: p.t3, borderColor: p.line, dividerColor: p.line, borderRadius: '4px', fontSize: '14px',
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--font'), fontWeightStrong: '600',
    },
  }
})
