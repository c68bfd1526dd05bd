import type { PageDef } from '@/page'
export default { theme: 'dark', nav: { order: 30, to: '/reach' }, routes: [{ path: '/reach/:id?', component: () => import('./Reach.vue') }] } satisfies PageDef
