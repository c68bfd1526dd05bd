import type { PageDef } from '@/page'
export default { theme: 'light', nav: { order: 80, to: '/system' }, routes: [{ path: '/system', component: () => import('./System.vue') }] } satisfies PageDef
