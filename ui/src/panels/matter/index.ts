import type { PanelDef } from '@/panel'
import Panel from './Matter.vue'
/** Everything without a panel of its own: what it is, since when, where to act. */
export default { kinds: ['*', 'call', 'task', 'letter', 'silence'], component: Panel } satisfies PanelDef
