import type { PageDef } from '@/page'
export default { theme: 'dark', shell: false, open: true, routes: [{ path: '/login', component: () => import('./Login.vue') }] } satisfies PageDef
