/** What a page folder exports: found by scan of pages/<name>/index.ts, so a new page is a new folder and nothing else. */
import type { RouteRecordRaw } from 'vue-router'
import type { Theme } from './kit/theme'

export interface PageDef {
  routes: RouteRecordRaw[]
  /** Entry in the top bar; words under `<folder>.nav`. */
  nav?: { order: number; to: string; right?: string }
  theme: Theme
  /** False: no top bar (log-in, phone, household). */
  shell?: boolean
  /** True: may be seen without log-in. */
  open?: boolean
}
const found = import.meta.glob<{ default: PageDef }>('./pages/*/index.ts', { eager: true })
export const pages = Object.entries(found).map(([path, m]) => ({ name: path.split('/').at(-2)!, ...m.default }))
export const navigation = pages.filter((p) => p.nav).sort((a, b) => a.nav!.order - b.nav!.order)
