/** Who is logged in and what they may do. */
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { get, post, setCsrf } from './http'
import { startStream, stopStream } from './stream'
import { setClock } from '@/kit/time'
import type { Me } from './types'

export const useSession = defineStore('session', () => {
  const me = ref<Me | null>(null)
  const known = ref(false)
  const name = computed(() => me.value?.person?.name ?? '')
  async function load(): Promise<Me | null> {
    try {
      me.value = await get<Me>('/me')
      setCsrf(me.value.csrf ?? '')
      setClock(me.value.clock)
      startStream()
    } catch {
      me.value = null
    }
    known.value = true
    return me.value
  }
  async function login(username: string, password: string): Promise<void> {
    await post('/login', { username, password })
    await load()
  }
  async function logout(): Promise<void> {
    await post('/logout').catch(() => undefined)
    stopStream()
    me.value = null
  }
  /** True when the person holds the right anywhere, or in this division when one is given. */
  function may(right: string, division = ''): boolean {
    const areas = me.value?.rights?.[right]
    return !!areas && (!division || areas.some((prefix) => division.startsWith(prefix)))
  }
  const isResponderOnly = computed(() => !!me.value && me.value.roles.length > 0 && me.value.roles.every((r) => r.role === 'responder'))
  return { me, known, name, load, login, logout, may, isResponderOnly }
})
