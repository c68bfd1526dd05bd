import { placeLayer } from '@/map/places'
const STATE: Record<string, [string, string]> = { ready: ['待命', 'ready'], moving: ['在路上', 'on the way'], working: ['在现场', 'on site'], resting: ['休整', 'resting'] }
export default placeLayer('teams', { order: 60, rank: 5, zh: '队伍', en: 'Teams', glyph: 'team', rows: (d) => d.teams, line: (p, lang) => { const w = STATE[p.state ?? '']; return w ? w[lang === 'zh' ? 0 : 1] : (p.state ?? '') } })
