/** A standing order as the API tells it (GET /orders), and where it stands in its life. */
import { ms } from '@/kit/time'

export interface Order { id: string; title: string; hazard: string; grade: number; site: string | null; area: string; actions: ({ action: string; device_kind?: string } | string)[]; version: number; signed_by: string | null; signed_at: string | null; valid_from: string | null; valid_to: string | null; division_code: string }
/** Hazards that an order may name; empty is any. */
export const HAZARDS = ['', 'slope', 'flood', 'rain', 'device']
/** What an order may do, and the kind of device that it goes to (none: the platform itself). */
export const ACTIONS: Record<string, string> = { issue: '', siren_on: 'siren', play: 'loudspeaker', display: 'terminal' }
export type OrderState = 'valid' | 'waiting' | 'ended'
/** In force, not yet, or ended, at the time `now` (UTC ms). */
export function stateOf(o: Order, now: number): OrderState {
  if (ms(o.valid_to) <= now) return 'ended'
  return !o.signed_by || ms(o.valid_from) > now ? 'waiting' : 'valid'
}
