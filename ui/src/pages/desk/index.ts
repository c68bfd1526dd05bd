import type { PageDef } from '@/page'
export default { theme: 'dark', nav: { order: 10, to: '/' }, routes: [{ path: '/', component: () => import('./Desk.vue') }] } satisfies PageDef
