/** What the API answers (docs/api.md). Times are ISO 8601 UTC unless a name ends in `_ms`. Values are SI. */

export type GradeValue = number | string | null
export interface Named { id: string; name: string; name_en?: string }
export interface Me { person: Named | null; roles: { role: string; zh: string; en: string; division_code: string }[]; rights: Record<string, string[]>; scopes: string[]; demo: boolean; csrf: string; administrator?: boolean; clock?: { now_ms: number; speed: number } }

export interface Division { code: string; name: string; name_en?: string; level: string; geometry: GeoJSON.Geometry | null; lon: number | null; lat: number | null; schematic: boolean }
export interface MapBase {
  district: { code: string; name: string; name_en?: string } | null
  divisions: Division[]
  terrain: { url?: string; tiles?: string | string[]; minzoom?: number; maxzoom?: number; bounds?: [number, number, number, number]; tile_size?: number } | null
  center: [number, number] | null
  zoom: number | null
  layers: Record<string, unknown>
  bounds?: [number, number, number, number] | null
  demo: boolean
}
export interface StationColumns { number: number[]; id: string[]; code: string[]; name: string[]; name_en: string[]; kind: string[]; site: string[]; lon: number[]; lat: number[]; state: string[]; grade: GradeValue[]; age_s: (number | null)[]; total: number; live: number; offline: number }
export interface MapSite extends Named { code?: string; kind: string; lon: number; lat: number; grade: number; proposed?: number; warning?: number; state: string; geometry?: GeoJSON.Geometry | null; key_target?: boolean; proposal?: string | null; division_code?: string; live?: number; silent?: number }
export interface MapPlace extends Partial<Named> { id: string; lon: number; lat: number; kind?: string; state?: string; capacity?: number; occupancy?: number; members?: number; post?: string; seen_at?: string | null }
export interface MapSpeaker extends Named { lon: number; lat: number; reach_m: number | null; state: string; site?: string | null }
export interface MapWarning { id: string; grade: GradeValue; title?: string; title_en?: string; area: GeoJSON.Geometry | null; state?: string; issued_at?: string; site?: string | null; site_id?: string | null; proposed?: boolean; exercise?: boolean }
export interface MapTask { id: string; title: string; title_en?: string; state: string; due_at: string; lon: number | null; lat: number | null; post?: string }
export interface MapObjects { sites: MapSite[]; teams: MapPlace[]; shelters: MapPlace[]; depots: MapPlace[]; people: MapPlace[]; loudspeakers: MapSpeaker[]; warnings: MapWarning[]; tasks: MapTask[] }

export type QueueKind = 'proposal' | 'call' | 'task' | 'letter' | 'silence' | string
export interface QueueItem { id: string; kind: QueueKind; grade: GradeValue; title: string; title_en?: string; line: string; line_en?: string; due_at: string | null; at: string; claimed_by: Named | string | null; site: string | Named | null; subject: string }

export interface Gate { zh: string; en: string; value: number | string | null; limit: number | string | null; ok: boolean | null; unit?: string; note?: string; note_en?: string }
export interface Figure { zh: string; en: string; value: number | string | null; unit?: string; grade?: GradeValue; at?: string | null }
export interface Answerer { id?: string; post: string; name?: string; person?: string | null; person_name?: string | null; level?: string; state?: string; order?: number; answer?: string; answered_at?: string | null; called_at?: string | null; at?: string | null; used_s?: number | null; deadline?: string | null; attempts?: number }
export interface ReachFacts { channel: number; device: number; confirmed: number; acted: number }
export interface Forecast { p10: string | null; p50: string | null; p90: string | null; made_at?: string; zh?: string; en?: string }
export interface FindingItem { id: string; station: string | Named; station_name?: string; station_name_en?: string; detector: string; quantity?: string; grade: GradeValue; at: string; zh: string; en: string; score?: number }
export interface WarningBrief { id: string; grade: GradeValue; title: string; title_en?: string; issued_at: string; listed?: number; people?: number; reachable?: number; facts?: ReachFacts; silent?: number; deadline?: string | null }
export interface SiteBrief extends Named { code?: string; kind: string; lon: number; lat: number; division?: string; division_name?: string; division_name_en?: string; main_station?: string; quantity?: string }
export interface Proposal {
  id: string; state: string; hazard: string; grade: GradeValue; title: string; title_en?: string; zh: string; en: string; proposed_at: string; decide_by: string
  claimed_by: Named | string | null; decided_by?: Named | string | null; decided_at?: string | null; reason?: string
  site: SiteBrief; findings: FindingItem[]; forecast: Forecast | null; gates: Gate[]; figures: Figure[]; who: Answerer[]
  consequence: { zh: string; en: string; households?: number; people?: number; loudspeakers?: number; callees?: number }
  warning_in_force: WarningBrief | null; warning?: WarningBrief | null; consultations?: { by: string; at: string; text: string }[]
}
export interface WarningRow { id: string; series: string; version: number; grade: GradeValue; kind: string; state: string; title: string; title_en?: string; text: string; text_en?: string; issued_at: string; expires_at: string; ended_at: string | null; signed_by: Named | string | null; automatic: string; automatic_order?: { id: string; title: string; signed_by: string } | null; hazard: string; site: Named | null; area?: GeoJSON.Geometry | null; instruction?: string; instruction_en?: string }
export interface Cell { id: string; door: string; fact: 0 | 1 | 2 | 3 | 4; silent: boolean; unreachable: boolean }
export interface Door { id: string; building: string; door: string; people?: number; needs_help?: string; inspector?: string; distance_m?: number; fact: number; unreachable: boolean; silent: boolean }
export interface ChannelRow { name: string; zh: string; en: string; broadcast: boolean; listed: number; facts: ReachFacts; played: number; failed: number; waiting: number; last_at: string | null }
export interface ReachPage { warning?: WarningRow; listed: { households: number; people: number }; reachable: number | { households: number; people: number }; facts: ReachFacts; silent: number; unknown: number; buildings: { name: string; inspector: string | null; lon?: number; lat?: number; cells: Cell[] }[]; acted_at?: string[]; channels: ChannelRow[]; door_list: Door[]; chain: { id?: string; state?: string; steps: CallStep[] } | CallStep[] | null }
export interface CallStep { id: string; order?: number; post: string; person?: string | null; state: string; called_at: string | null; deadline: string | null; answered_at: string | null; answer?: string }

export interface SeriesInfo { quantity: string; zh?: string; en?: string; unit?: string; latest?: { value: number; time_ms: number; quality: number } | null; thresholds?: ThresholdInfo[] }
export interface ThresholdInfo { quantity: string; mode: string; blue: number | null; yellow: number | null; orange: number | null; red: number | null; source?: string; version?: number; window_s?: number }
export interface StationDetail extends Named { code: string; number: number; kind: string; lon: number; lat: number; interval_s: number; site: SiteBrief | null; series: SeriesInfo[]; state: string; grade: GradeValue; device?: { id: string; client_id: string; online: boolean; seen_at: string | null; battery?: number | null } | null }
export interface SiteDetail extends SiteBrief { grade: GradeValue; state: string; key_target?: boolean; attributes?: Record<string, unknown>; stations: StationDetail[]; responsible: Answerer[]; proposal?: Proposal | null; gates?: Gate[]; thresholds?: ThresholdInfo[]; forecast?: Forecast | null; rain_gauge?: (Named & { km: number }) | null }
export interface Columns { time_ms: number[]; value: (number | null)[]; quality?: number[]; min?: number[]; max?: number[] }
export interface Readings extends Columns { quantity: string; gaps: [number, number][]; judged: { velocity?: Columns; tangent_angle?: Columns; inverse_velocity?: Columns; forecast?: { p10: number | null; p50: number | null; p90: number | null; fit?: { t0_ms: number; v0: number; t1_ms: number; v1: number; r2?: number; n?: number } | null } | null } }

export interface Task { id: string; title: string; title_en?: string; post: Named | string; late?: boolean; instead_of?: string | null; person: Named | string | null; state: string; due_at: string; accepted_at: string | null; done_at: string | null; result?: string; escalated?: number; incident?: Named | string | null; sent_at?: string }
export interface Incident { id: string; title: string; title_en?: string; hazard: string; state: string; opened_at: string; closed_at: string | null; grade?: GradeValue; site?: Named | string | null; tasks_all?: number; tasks_open?: number; tasks_late?: number; exercise?: boolean; review?: string; plan_version?: string }
export interface IncidentDetail extends Incident { timeline: { at: string; kind: string; subject: string; actor: string; zh: string; en: string }[]; tasks: Task[]; warnings: WarningRow[]; in_force?: unknown; calls?: { id: string; state: string; steps: CallStep[] }[]; reach?: { listed: number; acted: number } }

export interface Hazard { id: string; title: string; title_en?: string; site: Named | string | null; major: boolean; state: string; found_at: string; found_by?: string; post: Named | string | null; due_at: string | null; step_due_at?: string | null; left_s?: number | null; cancelled_at: string | null; division?: string; division_name?: string; overdue?: boolean }
export interface Offered { event: string; zh: string; en: string; next: string; may: boolean }
export interface HazardDetail extends Hazard { measures: string; steps: { at: string; actor?: string; who?: string; event?: string; before: string; after: string; note: string; late?: boolean; limit_at?: string | null }[]; actions: Offered[]; rectified_by?: Named | null; rechecked_by?: Named | null; rule_version?: string; cause?: string[] }
export interface CaseRow { id: string; kind: string; title: string; title_en?: string; person: Named | string | null; post: Named | string | null; over_s?: number; reason?: string; opened_at?: string; actions?: Offered[]; limit_at: string; actual_at: string | null; state: string; explanation: string; consequence: string; decided_at: string | null; decided_by?: Named | string | null; rule_version: string; created_at?: string; cause?: string[] }
export interface TraceNode { id: string; kind: string; title: string; title_en?: string; at: string | null; who: string | null; facts?: Record<string, unknown> | string[] | string; limit_at: string | null; used_s: number | null; late: boolean | null; late_s?: number | null; rule?: string }
export interface Trace { nodes: TraceNode[]; edges: [string, string][]; focus?: string }

export interface LedgerColumn { name: string; zh: string; en: string; type: string; choices?: [string, string, string][] | { value: string; zh: string; en: string }[]; editable?: boolean; required?: boolean; ledger?: string; help?: string }
export interface LedgerInfo { name: string; zh: string; en: string; group: { zh: string; en: string } | [string, string] | string; columns: LedgerColumn[]; fields?: LedgerColumn[]; filters: string[]; search?: string[]; editable: string[]; right?: string; may_write?: boolean; actions?: string[]; count?: number }
export interface LedgerPage { rows: Record<string, unknown>[]; total: number; page: number; size: number }
export interface HistoryEntry { at: string; actor: string; action: string; changes?: Record<string, [unknown, unknown]>; before?: Record<string, unknown> | null; after?: Record<string, unknown> | null }
export interface ImportResult { accepted: number; rejected: number; rejected_file: string | null; dry_run?: boolean; errors?: { row: number; field: string; zh: string; en: string; value: string }[] }

export interface Letter { id: string; code: string; source: string; device: string; topic?: string; zh: string; en: string; count: number; at: string; payload?: string }
export interface Health { ok: boolean; engines: { name: string; ok: boolean; version?: string; detail?: string; zh?: string; en?: string; latency_ms?: number }[]; lanes: { lane: number; cursor: number; last?: number; lag: number; lag_s?: number | null; worker?: string | null; zh?: string; en?: string }[]; letters: { open: number; by_code: Record<string, number> }; failed_events: { id: number | string; type: string; handler: string; error: string; attempts: number; next_at: string | null; zh?: string; en?: string }[]; disk: { free_gb: number; total_gb: number; path?: string; ok?: boolean; zh?: string; en?: string } | null; restarts?: Record<string, { why: string; at_ms: number; times: number }>; versions: Record<string, string>; devices?: { online: number; offline: number; total: number } }

export interface Call { id: string; warning: { id: string; grade: GradeValue; title: string; title_en?: string; text: string; text_en?: string; instruction: string; instruction_en?: string; issued_at: string; expires_at?: string }; site: SiteBrief | null; post: string; state: string; called_at: string; deadline: string; next_post?: string | null; received_at?: string | null; area?: GeoJSON.Geometry | null; signed_by?: string; shelter?: (MapPlace & { distance_m: number }) | null; doors?: number; doors_out?: number; desk_phone?: string }
export interface DoorList { warning: string; grade: GradeValue; title: string; title_en?: string; instruction?: string; instruction_en?: string; own: boolean; doors: { id: string; notice: string; building: string; door: string; people: number; needs_help?: string; reached: number; unreachable: boolean; absent_at: string | null }[] }
export interface InboxItem { id: string; title: string; title_en?: string; text_en?: string; instruction_en?: string; text: string; grade: GradeValue; issued_at: string; reached: number; channel?: string; warning?: string; instruction?: string; expires_at?: string | null; state?: string; signed_by?: string | null; doors?: string }
