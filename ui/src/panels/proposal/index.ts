import type { PanelDef } from '@/panel'
import Panel from './Proposal.vue'
export default { kinds: ['proposal'], component: Panel } satisfies PanelDef
