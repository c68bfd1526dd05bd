/** Rows of the trace page out of its graph: by time, grouped by the verb that made them; the way back from one record. */
import type { Trace, TraceNode } from '@/api/types'
import { ms } from '@/kit/time'

export type Group = 'sense' | 'issue' | 'notify' | 'respond' | 'supervise'
const KIND: Record<string, Group> = { read: 'sense', reading: 'sense', over: 'sense', cmd_: 'notify', hstep: 'supervise', finding: 'sense', find: 'sense', forecast: 'sense', fcst: 'sense', proposal: 'issue', prop: 'issue', warning: 'issue', warn: 'issue', hazardwarning: 'issue', order: 'issue', consultation: 'issue', cons: 'issue', notice: 'notify', note: 'notify', receipt: 'notify', chain: 'notify', callchain: 'notify', step: 'notify', callstep: 'notify', cmd: 'notify', command: 'notify', devicecommand: 'notify', incident: 'respond', inc: 'respond', task: 'respond', hazard: 'supervise', haz: 'supervise', case: 'supervise' }
export const groupOf = (kind: string): Group => KIND[kind.toLowerCase()] ?? 'respond'
export interface Link extends TraceNode { group: Group; first: boolean; span: number; back: boolean }

/** Ids on the way back (causes) from `focus`, itself included. Edges go from cause to effect. */
export function wayBack(trace: Trace, focus: string): Set<string> {
  const causes = new Map<string, string[]>()
  for (const [from, to] of trace.edges) causes.set(to, [...(causes.get(to) ?? []), from])
  const seen = new Set<string>([focus])
  const queue = [focus]
  while (queue.length) for (const id of causes.get(queue.pop()!) ?? []) if (!seen.has(id)) { seen.add(id); queue.push(id) }
  return seen
}
/** Many sibling facts of one kind (readings, notices) are drawn as their first and last only beyond `most`. */
export function rowsOf(trace: Trace, focus: string, most = 6): { links: Link[]; folded: Record<string, number> } {
  const back = wayBack(trace, focus)
  const sorted = [...trace.nodes].sort((a, b) => (ms(a.at) || 0) - (ms(b.at) || 0))
  const perKind = new Map<string, number>()
  const total = new Map<string, number>()
  for (const n of sorted) total.set(n.kind, (total.get(n.kind) ?? 0) + 1)
  const folded: Record<string, number> = {}
  const kept = sorted.filter((n) => {
    const nth = (perKind.get(n.kind) ?? 0) + 1
    perKind.set(n.kind, nth)
    const many = total.get(n.kind)! > most
    const keep = !many || nth < most || nth === total.get(n.kind) || n.late === true || n.id === focus
    if (!keep) folded[n.kind] = (folded[n.kind] ?? 0) + 1
    return keep
  })
  const links: Link[] = kept.map((n) => ({ ...n, group: groupOf(n.kind), first: false, span: 0, back: back.has(n.id) }))
  links.forEach((l, i) => {
    if (i && links[i - 1]!.group === l.group) return
    l.first = true
    let n = 1
    while (links[i + n]?.group === l.group) n += 1
    l.span = n
  })
  return { links, folded }
}
/** When a node's time began, UTC ms: a record is placed at its beginning, a hazard's step at its end. */
const began = (n: TraceNode): number => (n.kind === 'hstep' && n.used_s != null ? ms(n.at) - n.used_s * 1000 : ms(n.at))
/** Allowed seconds of a node, from its beginning to its limit; null for a fact. */
export function allowed(n: TraceNode): number | null {
  if (!n.limit_at || !n.at) return null
  const a = (ms(n.limit_at) - began(n)) / 1000
  return a > 0 ? a : null
}
/** Seconds beyond the limit (negative: left over) at its end, or at `now` when it has not ended; NaN for a fact. */
export function beyond(n: TraceNode, now: number): number {
  const a = allowed(n)
  return a == null ? NaN : (n.used_s ?? (now - began(n)) / 1000) - a
}
