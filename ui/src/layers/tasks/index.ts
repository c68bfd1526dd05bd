import { placeLayer } from '@/map/places'
import { clockNow, left } from '@/kit/time'
export default placeLayer('tasks', { order: 62, rank: 10, zh: '任务', en: 'Tasks', glyph: 'task', rows: (d) => d.tasks.filter((t) => t.lon != null).map((t) => ({ id: t.id, name: t.title, name_en: t.title_en, lon: t.lon!, lat: t.lat!, seen_at: t.due_at, state: t.state })), line: (p, lang) => (p.state === 'done' ? '' : left(p.seen_at, clockNow(), lang).text) })
