import type { PageDef } from '@/page'
export default { theme: 'light', nav: { order: 50, to: '/hazards' }, routes: [{ path: '/hazards/:id?', component: () => import('./Hazards.vue') }] } satisfies PageDef
