/** What a panel folder exports: the right side of the desk for one kind of matter; found by scan of panels/<name>/index.ts. */
import type { Component } from 'vue'

export interface PanelDef { kinds: string[]; component: Component }
const found = import.meta.glob<{ default: PanelDef }>('./panels/*/index.ts', { eager: true })
const byKind = new Map(Object.values(found).flatMap((m) => m.default.kinds.map((k) => [k, m.default.component] as const)))
export const panelFor = (kind: string): Component | undefined => byKind.get(kind) ?? byKind.get('*')
