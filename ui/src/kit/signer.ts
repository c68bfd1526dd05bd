import type { WarningRow } from '@/api/types'
import { pick } from './words'

/** Who signed a warning; one that the machine issued names its standing order and the person who signed that. */
export function signerOf(w: Pick<WarningRow, 'signed_by' | 'automatic' | 'automatic_order'> | null | undefined): string {
  if (!w) return ''
  const name = (typeof w.signed_by === 'string' ? w.signed_by : w.signed_by?.name) ?? ''
  if (!w.automatic) return name
  const order = w.automatic_order
  return pick(`系统自动（常备指令《${order?.title ?? w.automatic}》，${order?.signed_by ?? name} 签发）`, `automatic (standing order '${order?.title ?? w.automatic}', signed by ${order?.signed_by ?? name})`)
}
