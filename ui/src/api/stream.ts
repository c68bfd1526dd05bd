/** The live stream: server-sent events with resume. Each event is handed on once, by its outbox id; the state of the line is visible. */
import { reactive } from 'vue'
import { clockNow, setClock } from '@/kit/time'

export interface LiveEvent { id: number; type: string; subject: string; payload: Record<string, unknown>; division_code: string; at: string }
export interface LiveValues { t: number[]; q: number[]; v: number[]; at_ms: number[]; quality?: number[]; grade?: number[]; silent?: number[]; clock?: { now_ms: number; speed: number } }

/** Drops repeats: ids rise; a resumed stream may send a few again. Keeps a small set for ids out of order. */
export class Dedup {
  private seen = new Set<number>()
  last = 0
  constructor(private readonly size = 512) {}
  /** True the first time an id comes. Ids that are not numbers cannot be judged and pass. */
  fresh(id: number): boolean {
    if (!Number.isFinite(id) || id <= 0) return true
    if (this.seen.has(id)) return false
    if (id <= this.last - this.size) return false
    this.seen.add(id)
    if (id > this.last) this.last = id
    if (this.seen.size > this.size * 2) for (const old of this.seen) if (old <= this.last - this.size) this.seen.delete(old)
    return true
  }
}

export const line = reactive({ state: 'connecting' as 'connecting' | 'live' | 'lost', since: Date.now(), heardAt: 0, attempt: 0, retryAt: 0, server: true, picture: clockNow() })

type EventHandler = (event: LiveEvent) => void
type ValuesHandler = (values: LiveValues) => void
const eventHandlers = new Set<EventHandler>()
const valueHandlers = new Set<ValuesHandler>()
const backHandlers = new Set<() => void>()
/** Names of events the server sends; EventSource needs each by name, so the first of a kind is learned from `/api/stream` itself. */
const KNOWN = [
  'detect.finding.raised', 'detect.silence.raised', 'detect.silence.ended', 'forecast.forecast.made', 'issue.proposal.raised', 'issue.proposal.raised_grade', 'issue.proposal.claimed', 'issue.proposal.declined', 'issue.proposal.withdrawn', 'issue.proposal.signed',
  'issue.order.acted', 'issue.warning.issued', 'issue.warning.lifted', 'issue.warning.expired', 'issue.warning.updated', 'notify.notice.queued', 'notify.receipt.added', 'notify.step.called', 'notify.step.answered', 'notify.step.timed_out', 'notify.chain.exhausted',
  'collect.command.acknowledged', 'collect.command.replied', 'collect.device.connected', 'collect.device.disconnected', 'collect.letter.added', 'respond.incident.opened', 'respond.incident.closed', 'respond.task.sent', 'respond.task.accepted', 'respond.task.done',
  'respond.task.late', 'respond.task.refused', 'supervise.hazard.found', 'supervise.hazard.moved', 'supervise.hazard.cancelled', 'supervise.case.opened', 'supervise.case.decided', 'message',
]
const SILENT_MS = 25_000 // two keep-alives of 10 s missed, and a little

const dedup = new Dedup()
let source: EventSource | null = null
let timer = 0
let watchdog = 0
let asking = false

function heard(): void {
  line.heardAt = Date.now()
  line.picture = clockNow()
  if (line.state !== 'live') {
    const back = line.attempt > 0
    line.state = 'live'
    line.since = Date.now()
    line.attempt = 0
    if (back) backHandlers.forEach((h) => h())
  }
}
function take(type: string, raw: MessageEvent<string>): void {
  heard()
  const id = Number(raw.lastEventId)
  if (!dedup.fresh(id)) return
  try {
    const body = JSON.parse(raw.data) as Omit<LiveEvent, 'id' | 'type'> & { type?: string }
    eventHandlers.forEach((h) => h({ ...body, payload: body.payload ?? {}, id, type: body.type ?? type }))
  } catch {
    // A line that is not JSON tells nothing; the next refresh shows the truth.
  }
}
function lost(): void {
  source?.close()
  source = null
  if (line.state !== 'lost') line.since = line.heardAt || Date.now()
  line.state = 'lost'
  line.attempt += 1
  const wait = Math.min(15_000, 1000 * 2 ** Math.min(line.attempt - 1, 4))
  line.retryAt = Date.now() + wait
  window.clearTimeout(timer)
  timer = window.setTimeout(open, wait)
}
function open(): void {
  window.clearTimeout(timer)
  source?.close()
  source = new EventSource(dedup.last ? `/api/stream?last=${dedup.last}` : '/api/stream')
  source.onopen = heard
  source.onerror = lost
  for (const type of KNOWN) source.addEventListener(type, (e) => take(type, e as MessageEvent<string>))
  source.addEventListener('values', (e) => {
    heard()
    try {
      const values = JSON.parse((e as MessageEvent<string>).data) as LiveValues
      setClock(values.clock)
      valueHandlers.forEach((h) => h(values))
    } catch {
      // as above
    }
  })
  source.addEventListener('hello', (e) => {
    heard()
    const hello = JSON.parse((e as MessageEvent<string>).data) as { live?: boolean }
    line.server = hello.live !== false
  })
  source.addEventListener('stale', () => (line.server = false))
  source.addEventListener('live', () => (line.server = true))
  source.addEventListener('reset', () => {
    heard()
    backHandlers.forEach((h) => h())
  })
}
/** Opens the stream (once); safe to call again. */
export function startStream(): void {
  if (source || typeof EventSource === 'undefined') return
  open()
  window.clearInterval(watchdog)
  watchdog = window.setInterval(() => void watch(), 3000)
  window.addEventListener('offline', lost)
  window.addEventListener('online', open)
}
/** Keep-alives are comments that a page cannot see; so a quiet line is asked whether the server still answers. */
async function watch(): Promise<void> {
  if (line.state !== 'live' || asking || Date.now() - line.heardAt < SILENT_MS) return
  asking = true
  try {
    const answer = await fetch('/api/me', { credentials: 'same-origin', signal: AbortSignal.timeout(6000) })
    if (answer.status >= 500) lost()
    else line.heardAt = Date.now()
  } catch {
    lost()
  } finally {
    asking = false
  }
}
export function stopStream(): void {
  source?.close()
  source = null
  window.clearTimeout(timer)
  window.clearInterval(watchdog)
  window.removeEventListener('offline', lost)
  window.removeEventListener('online', open)
}
export const reconnectNow = (): void => open()
export function onEvent(handler: EventHandler): () => void {
  eventHandlers.add(handler)
  return () => eventHandlers.delete(handler)
}
export function onValues(handler: ValuesHandler): () => void {
  valueHandlers.add(handler)
  return () => valueHandlers.delete(handler)
}
/** Called when the line is back after a loss: time to take the whole picture anew. */
export function onBack(handler: () => void): () => void {
  backHandlers.add(handler)
  return () => backHandlers.delete(handler)
}
