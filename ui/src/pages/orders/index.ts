import type { PageDef } from '@/page'
export default { theme: 'light', nav: { order: 55, to: '/orders' }, routes: [{ path: '/orders', component: () => import('./Orders.vue') }] } satisfies PageDef
