import type { PageDef } from '@/page'
export default { theme: 'light', nav: { order: 60, to: '/duty' }, routes: [{ path: '/duty/:id?', component: () => import('./Cases.vue') }, { path: '/trace/:id', component: () => import('./Trace.vue') }] } satisfies PageDef
