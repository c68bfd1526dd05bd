import type { PanelDef } from '@/panel'
import Panel from './Site.vue'
export default { kinds: ['site', 'station'], component: Panel } satisfies PanelDef
