/** The server's answers brought into the shapes that the pages draw (one place for what differs from what a page needs). */
import type { Answerer, Call, CallStep, InboxItem, ReachPage } from './types'

type Row = Record<string, unknown>
/** A call comes flat; the page wants its warning together. */
export function callOf(row: Row): Call {
  if (row.warning && typeof row.warning === 'object') return row as unknown as Call
  const w = row as Record<string, never>
  return {
    id: w.id, site: w.site ?? null, post: w.post_name ?? w.post, state: w.state, called_at: w.called_at, deadline: w.deadline, area: w.area ?? null, signed_by: w.signed_by ?? '', shelter: w.shelter ?? null, doors: w.doors ?? 0, doors_out: w.doors_out ?? 0, desk_phone: w.desk_phone ?? '', next_post: Array.isArray(w.next) ? (w.next[0] ?? null) : null,
    warning: { id: w.warning, grade: w.grade, title: w.title, title_en: w.title_en, text: w.text, text_en: w.text_en, instruction: w.instruction, instruction_en: w.instruction_en, issued_at: w.issued_at ?? w.called_at },
  }
}
export const callsOf = (data: unknown): Call[] => (Array.isArray(data) ? (data as Row[]) : []).map(callOf)
/** The inbox: a list, or `{messages, calls}`. */
export function inboxOf(data: unknown): InboxItem[] {
  const rows = Array.isArray(data) ? data : ((data as { messages?: unknown[] } | null)?.messages ?? [])
  return (rows as Row[]).map((r) => ({ ...r, issued_at: r.issued_at ?? r.at }) as unknown as InboxItem)
}
export const stepsOf = (chain: ReachPage['chain'] | undefined): Answerer[] => ((Array.isArray(chain) ? chain : (chain?.steps ?? [])) as (CallStep & { post_name?: string })[]).map((s) => ({ ...s, name: s.post_name ?? s.post }) as Answerer)
/** Households in reach, whichever way they are told. */
export const reachable = (r: ReachPage): number => (typeof r.reachable === 'number' ? r.reachable : r.reachable.households)
