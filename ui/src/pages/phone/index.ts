import type { PageDef } from '@/page'
export default { theme: 'light', shell: false, routes: [{ path: '/phone', component: () => import('./Phone.vue') }] } satisfies PageDef
