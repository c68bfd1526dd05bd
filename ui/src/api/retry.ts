/** Answers given without a network are kept on this device and sent when it is back: an answer counts only once (each has a key). */
import { reactive } from 'vue'
import { ApiError, post } from './http'
import { clockNow } from '@/kit/time'

export interface Kept { key: string; path: string; body: Record<string, unknown>; at: number; tries: number; words: string }
const PLACE = 'anlan.kept'

function read(): Kept[] {
  try {
    return JSON.parse(localStorage.getItem(PLACE) ?? '[]') as Kept[]
  } catch {
    return []
  }
}
export const kept = reactive({ list: read(), refused: [] as { kept: Kept; error: ApiError }[] })
const write = (): void => localStorage.setItem(PLACE, JSON.stringify(kept.list))
let running = false

/** Sends now, or keeps for later when nobody answers; with `newest` a later answer to the same path replaces the kept one, else the first stands. Resolves 'sent' or 'kept'; a refusal by the server is thrown. */
export async function sendOrKeep(path: string, body: Record<string, unknown>, words: string, newest = false): Promise<'sent' | 'kept'> {
  const item: Kept = { key: crypto.randomUUID?.() ?? String(Math.random()).slice(2), path, body, at: clockNow(), tries: 0, words }
  try {
    await post(path, { ...body, said_at: new Date(item.at).toISOString() })
    return 'sent'
  } catch (e) {
    if (!(e instanceof ApiError) || !e.offline) throw e
    const at = kept.list.findIndex((k) => k.path === path)
    if (at < 0) kept.list.push(item)
    else if (newest) kept.list[at] = item
    write()
    return 'kept'
  }
}
/** Tries what is kept, oldest first; stops at the first that nobody answers. */
export async function flush(): Promise<number> {
  if (running) return 0
  running = true
  let sent = 0
  try {
    while (kept.list.length) {
      const item = kept.list[0]!
      try {
        await post(item.path, { ...item.body, said_at: new Date(item.at).toISOString() })
        sent += 1
      } catch (e) {
        if (e instanceof ApiError && e.offline) {
          item.tries += 1
          break
        }
        if (e instanceof ApiError) kept.refused.push({ kept: item, error: e })
      }
      kept.list.shift()
      write()
    }
  } finally {
    running = false
  }
  return sent
}
if (typeof window !== 'undefined') {
  window.addEventListener('online', () => void flush())
  window.setInterval(() => void (kept.list.length && flush()), 5000)
}
