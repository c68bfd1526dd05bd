import type { PageDef } from '@/page'
export default { theme: 'dark', nav: { order: 20, to: '/monitor' }, routes: [{ path: '/monitor', component: () => import('./List.vue') }, { path: '/monitor/:id', component: () => import('./SitePage.vue') }] } satisfies PageDef
