/** A picture kept fresh: first fetch, refetch when a named event comes or the line is back, last picture and its time kept on failure. */
import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { ApiError, get } from './http'
import { onBack, onEvent } from './stream'
import { clockNow } from '@/kit/time'

export interface Live<T> { data: ShallowRef<T | null>; at: Ref<number>; error: ShallowRef<ApiError | null>; loading: Ref<boolean>; refresh: () => Promise<void> }

/** `path` is asked again (at most every `gapMs`) after an event whose type starts with one of `events`, and every `everyMs` if given. */
export function live<T>(path: () => string | null, events: string[] = [], gapMs = 800, everyMs = 0): Live<T> {
  const data = shallowRef<T | null>(null)
  const at = ref(0)
  const error = shallowRef<ApiError | null>(null)
  const loading = ref(true)
  let turn = 0
  let wanted = 0
  let asked = 0
  let timer = 0
  async function refresh(): Promise<void> {
    const p = path()
    const mine = ++turn
    if (!p) {
      data.value = null
      loading.value = false
      return
    }
    loading.value = data.value === null
    try {
      const answer = await get<T>(p)
      if (mine !== turn) return
      data.value = answer
      at.value = clockNow()
      asked = Date.now()
      error.value = null
    } catch (e) {
      if (mine !== turn) return
      error.value = e instanceof ApiError ? e : new ApiError(0, 'ui.error', String(e), String(e))
      window.clearTimeout(timer)
      if (error.value.offline) timer = window.setTimeout(() => void refresh(), 4000)
    } finally {
      if (mine === turn) loading.value = false
    }
  }
  function soon(): void {
    if (wanted) return
    wanted = window.setTimeout(() => {
      wanted = 0
      void refresh()
    }, Math.max(60, gapMs - (Date.now() - asked)))
  }
  const offEvent = onEvent((e) => events.some((t) => e.type.startsWith(t)) && soon())
  const offBack = onBack(soon)
  const every = everyMs ? window.setInterval(soon, everyMs) : 0
  onScopeDispose(() => {
    offEvent()
    offBack()
    turn++
    window.clearTimeout(timer)
    window.clearTimeout(wanted)
    window.clearInterval(every)
  })
  void refresh()
  return { data, at, error, loading, refresh }
}
