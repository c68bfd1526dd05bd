import type { PageDef } from '@/page'
export default { theme: 'light', nav: { order: 70, to: '/ledgers' }, routes: [{ path: '/ledgers/:name?/:id?', component: () => import('./Ledgers.vue') }] } satisfies PageDef
