import type { PanelDef } from '@/panel'
import Panel from './Warning.vue'
export default { kinds: ['warning'], component: Panel } satisfies PanelDef
