/** Routes of all pages found, and the gate: who is not logged in is asked to. */
import { createRouter, createWebHistory, type Router, type RouteRecordRaw } from 'vue-router'
import { onUnauthorised } from './api/http'
import { useSession } from './api/session'
import { setPageTheme } from './kit/theme'
import { pages } from './page'

export function makeRouter(): Router {
  const routes: RouteRecordRaw[] = pages.flatMap((p) => p.routes.map((r) => ({ ...r, meta: { page: p.name, theme: p.theme, shell: p.shell !== false, open: p.open === true, ...r.meta } }) as RouteRecordRaw))
  routes.push({ path: '/:rest(.*)*', redirect: '/' })
  const router = createRouter({ history: createWebHistory(), routes })
  router.beforeEach(async (to) => {
    if (to.meta.open) return true
    const session = useSession()
    if (!session.known) await session.load()
    if (!session.me) return { path: '/login', query: { next: to.fullPath } }
    if (to.path === '/' && session.isResponderOnly && window.innerWidth < 720) return '/phone'
    return true
  })
  router.afterEach((to) => setPageTheme(to.meta.theme === 'light' ? 'light' : 'dark'))
  onUnauthorised.handler = () => {
    const here = router.currentRoute.value
    if (!here.meta.open) void router.push({ path: '/login', query: { next: here.fullPath } })
  }
  return router
}
