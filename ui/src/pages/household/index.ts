import type { PageDef } from '@/page'
export default { theme: 'light', shell: false, open: true, routes: [{ path: '/h/:token', component: () => import('./Household.vue') }] } satisfies PageDef
