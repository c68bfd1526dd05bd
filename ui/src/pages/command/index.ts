import type { PageDef } from '@/page'
export default { theme: 'dark', nav: { order: 40, to: '/command' }, routes: [{ path: '/command/:id?', component: () => import('./Command.vue') }] } satisfies PageDef
