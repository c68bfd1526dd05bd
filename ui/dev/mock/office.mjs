// Mock answers of the office pages: warnings and reach, incidents, hazards, cases, trace, ledgers, health, phone.
import { random } from './geo.mjs'
import { area, iso, who } from './story.mjs'

const MIN = 60_000
const DAY = 1440 * MIN
const rnd = random(3)
const warning = { id: 'warn-1', series: 'warn-1', version: 2, kind: 'upgrade', grade: 4, state: 'issued', hazard: 'slope', title: '仙桐公园 2 号边坡 红色预警', title_en: 'Red: Xiantong Park Slope 2', text: '裂缝计与 GNSS 同时加速，预计 16:30–18:40 失稳。', text_en: 'Crack gauge and GNSS speed up together; failure expected 16:30–18:40.', instruction: '请立即撤离 3 栋 28 户，往仙桐体育馆。不走仙桐路，走西侧消防梯。', instruction_en: 'Evacuate block 3 (28 households) to Xiantong Gym now. Not by Xiantong Road; use the west stairs.', issued_at: iso(9 * MIN), expires_at: iso(-DAY), ended_at: null, signed_by: '区带班领导', automatic: '', site: 'site-LH-B-0417', area }
const BUILDINGS = [['3 栋 · 仙湖社区', '3 栋网格员', 28], ['5 栋 · 仙湖社区', '5 栋网格员', 24], ['仙桐路东段商铺', '东段网格员', 18], ['莲花片 1–4 栋', '莲花网格员', 26], ['公园管理处 · 工棚', '园区安全员', 12], ['坳下村口散户', '坳下网格员', 18]]
const buildings = BUILDINGS.map(([name, inspector, n], b) => ({ name, inspector, lon: 114.181 + [-0.0012, 0.0022, 0.0036, -0.0014, 0.0028, 0.005][b], lat: 22.5712 - [0.003, 0.0028, 0.0026, 0.0046, 0.0048, 0.0068][b], cells: Array.from({ length: n }, (_, i) => { const x = rnd(); const none = x > 0.94; const silent = !none && x > 0.84; return { id: `h-${b}-${i}`, door: n === 18 || n === 12 ? `${i + 1}号` : `${Math.floor(i / 4) + 1}0${(i % 4) + 1}`, fact: none ? 0 : silent ? 1 : x < 0.65 ? 4 : x < 0.8 ? 3 : 2, silent, unreachable: none } }) }))
const cells = buildings.flatMap((b) => b.cells)
const n = (k) => cells.filter((c) => c.fact >= k).length
const steps = () => who().map((w, i) => ({ id: `step-${i}`, order: i, post: w.post, state: w.state, called_at: iso(9 * MIN - i * MIN), deadline: w.deadline ?? iso(0), answered_at: w.at ?? null, used_s: w.used_s }))
const actedAt = () => Array.from({ length: n(4) }, (_, i) => iso(9 * MIN - (i / n(4)) * 8.6 * MIN))
const doorSaid = {}
const doorList = () => [{ warning: 'warn-1', grade: 4, title: warning.title, title_en: warning.title_en, own: true, doors: buildings[0].cells.slice(0, 18).map((c, i) => ({ id: c.id, notice: `note-d${i}`, building: '3 栋', door: c.door, people: 1 + (i % 4), needs_help: i === 6 ? '行动不便' : '', reached: doorSaid[`note-d${i}`] === 'acted' ? 4 : doorSaid[`note-d${i}`] === 'confirmed' ? 3 : i < 4 ? 4 : 1, unreachable: i === 9, absent_at: doorSaid[`note-d${i}`] === 'absent' ? iso(0) : null })) }]
const reach = () => ({ acted_at: actedAt(), listed: { households: cells.length, people: 342 }, reachable: { households: cells.filter((c) => !c.unreachable).length, people: 320 }, facts: { channel: n(1), device: n(2), confirmed: n(3), acted: n(4) }, silent: cells.filter((c) => c.silent).length, unknown: cells.filter((c) => c.unreachable).length, buildings, channels: [['loudspeaker', '大喇叭', 'Loudspeakers', 11, 9, 0], ['inbox', '站内信', 'Inbox', 312, 298, 0], ['email', '邮件', 'E-mail', 116, 88, 4]].map(([name, zh, en, listed, device, failed]) => ({ name, zh, en, broadcast: name === 'loudspeaker', listed, facts: { channel: listed, device, confirmed: 0, acted: 0 }, played: device, failed, waiting: 0, last_at: iso(9000) })), door_list: buildings.flatMap((b) => b.cells.filter((c) => c.silent).map((c, i) => ({ id: c.id, building: b.name.split(' · ')[0], door: c.door, people: 1 + (i % 4), needs_help: ['独居老人', '', '行动不便'][i % 3], inspector: b.inspector, distance_m: 120 + 40 * i, fact: c.fact, silent: c.silent, unreachable: c.unreachable }))), chain: { id: 'chain-1', state: 'calling', steps: steps() } })
const post = (name) => ({ id: `post-${name}`, name })
const task = (id, title, p, state, due, extra = {}) => ({ id, title, title_en: '', post: post(p), person: { id: 'person-9', name: p }, state, due_at: iso(-due * MIN), sent_at: iso(9 * MIN), accepted_at: state === 'sent' ? null : iso(8 * MIN), done_at: state === 'done' ? iso(3 * MIN) : null, result: '', ...extra })
const tasks = [task('task-1', '切断坡脚燃气', '燃气抢修班', 'accepted', -1.2), task('task-2', '叫应责任人 31 名', '发布岗', 'doing', 0.8), task('task-3', '初报市局', '值守员甲', 'sent', 11.8), task('task-4', '敲门 14 户', '3 栋网格员', 'accepted', 12, { person: { id: 'person-1', name: '陈值守' } }), task('task-5', '转移 126 户', '街道带班领导', 'doing', 51), task('task-6', '封闭仙桐路', '交警莲塘中队', 'done', 5), task('task-7', '仙桐体育馆 加开二厅', '街道民政岗', 'done', 5)]
const incident = { id: 'inc-1', title: '仙桐公园 2 号边坡 险情处置', title_en: 'Xiantong Park Slope 2', hazard: 'slope', site: 'site-LH-B-0417', grade: 4, state: 'open', opened_at: iso(9.2 * MIN), closed_at: null }
const line = (ago, kind, zh, actor = '') => ({ at: iso(ago * MIN), kind, subject: 'task-1', actor, zh, en: zh })
const timeline = [line(13, 'detect.finding.raised', '研判升红：切线角 85.6°，两类同证', '研判'), line(9, 'issue.warning.issued', '签发红色预警，126 户 342 人', '值守长'), line(8.8, 'collect.command.replied', '大喇叭 9 / 11 已播'), line(8, 'notify.step.answered', '莲塘街道带班领导 应答，用时 0:48'), line(6, 'respond.task.accepted', '燃气抢修班 接办：切断坡脚燃气'), line(2, 'notify.step.timed_out', '坳下社区书记 10 分钟未答，改呼街道带班'), line(1, 'respond.task.late', '切断坡脚燃气 迟，已上报街道')]
const HZ = [['氨制冷机房无报警', 1, 'rectifying', -2 * DAY, '街道安监员'], ['危墙未封围', 1, 'rechecking', 6 * 60 * MIN, '区执法一组'], ['疏散楼梯被货物占用，防火门常开', 1, 'rectifying', 1.1 * DAY, '企业安全总监'], ['高支模未经论证', 1, 'ordered', 4 * DAY, '总包项目经理'], ['配电箱无盖板', 0, 'rectifying', -1 * DAY, '铺主'], ['气瓶混放', 0, 'rectifying', 2 * 60 * MIN, '铺主'], ['挡墙泄水孔堵', 0, 'rectifying', 5 * 60 * MIN, '养护二队'], ['电动车飞线充电', 0, 'graded', DAY, '物业经理'], ['消火栓无水', 0, 'found', 1.3 * DAY, '物业工程部'], ['灭火器过期 14 具', 0, 'cancelled', 2 * DAY, '商管安全员']]
const hazards = HZ.map(([title, major, state, due, p], i) => ({ id: `haz-44030320260${1840 + i}`, title, title_en: '', site: 'site-S-02', major: !!major, state, found_at: iso(3 * DAY), post: post(p), due_at: iso(-due), step_due_at: iso(-due), cancelled_at: state === 'cancelled' ? iso(DAY) : null, division_code: '440303009', rule_version: 'v4' }))
const detail = (h) => ({ ...h, measures: '清空楼梯，装常闭门 6 樘', found_by: '安监员甲', actions: h.state === 'cancelled' ? [] : [{ event: 'rectify', zh: '整改完成，报请复查', en: 'report it rectified', next: 'rechecking', may: true }, { event: 'recheck', zh: '复查合格', en: 'pass', next: '', may: false }], steps: [{ at: iso(3 * DAY), who: '安监员甲', before: '', after: 'found', note: '现场照片 2 张' }, { at: iso(2.8 * DAY), who: '街道安监办', before: 'found', after: 'graded', note: '对照判定标准' }, { at: iso(2.5 * DAY), who: '街道安监办', before: 'graded', after: 'ordered', note: '责令 4 日内整改' }, { at: iso(2 * DAY), who: '企业安全总监', before: 'ordered', after: 'rectifying', note: '开始整改' }] })
const cases = [{ id: 'case-1', kind: 'silent_call', title: '坳下社区书记 叫应无人答', title_en: 'Aoxia secretary silent', state: 'opened', post: post('坳下社区书记'), person: null, opened_at: iso(20 * MIN), limit_at: iso(14 * MIN), actual_at: iso(11 * MIN), explanation: '', consequence: '', rule_version: '叫应规则 v2', actions: [{ event: 'decide', zh: '决定', en: 'decide', may: true }, { event: 'dismiss', zh: '', en: '', may: true }] }, { id: 'case-2', kind: 'late_task', title: '切断坡脚燃气 迟 3 分', state: 'decided', post: post('燃气抢修班'), opened_at: iso(DAY), limit_at: iso(DAY), actual_at: iso(DAY - 3 * MIN), explanation: '阀井被占', consequence: '莲塘街道 −0.5', rule_version: 'v3', decided_at: iso(MIN), decided_by: { id: 'p', name: '考核岗' } }]
const node = (id, kind, ago, who, title, facts, limitAgo, used, late = false) => ({ id, kind, title, title_en: '', at: iso(ago * MIN), who, facts, limit_at: limitAgo == null ? null : iso(limitAgo * MIN), used_s: used, late })
const nodes = [node('read-1', 'read', 69, '', '读数 裂缝 C2 13.5 mm/h，质量好', { quantity: 'crack_width' }, null, null), node('find-1', 'find', 68.5, '', '研判 升红：切线角 85.6°，两类同证', { 切线角: 85.6 }, 67, 113), node('prop-1', 'prop', 68, '', '建议 红', { grade: 4 }, null, null), node('warn-1', 'warn', 64, '值守长（陈值守）', '签发 红', { grade: 4 }, 58, 234), node('note-1', 'note', 63.4, '发布岗', '渠道接了 126，设备收到 116', { channel: 126 }, 63, 45), node('step-1', 'step', 63.2, '莲塘街道 带班领导', '已应答', { answer: '收到' }, 54, 48), node('step-2', 'step', 51, '坳下社区书记', '第 3 次改呼街道带班后应答', '录音 3', 54, 780, true), node('task-1', 'task', 53, '燃气抢修班', '断坡脚燃气', '阀井被车压住', 56, 540, true), node('task-5', 'task', 17, '街道带班领导', '126 户 342 人 全部转出', '逐户记录 126', 4, 2820), node('inc-1', 'inc', 15, '', '坡体局部滑塌，坡下无人', '视频 2', null, null), node('haz-1', 'haz', 14, '街道安监员', 'YH-01902 坡顶截水沟堵 · 一般', '照片 4', 10, 600), node('case-1', 'case', 5, '考核岗', '坳下社区书记 −0.5', '可申诉', null, null)]
const edges = [['read-1', 'find-1'], ['find-1', 'prop-1'], ['prop-1', 'warn-1'], ['warn-1', 'note-1'], ['warn-1', 'step-1'], ['warn-1', 'step-2'], ['warn-1', 'task-1'], ['warn-1', 'task-5'], ['task-5', 'inc-1'], ['inc-1', 'haz-1'], ['step-2', 'case-1']]
const col = (name, zh, en, type = 'text', extra = {}) => ({ name, zh, en, type, choices: [], listed: true, filter: false, editable: true, required: false, ledger: null, ...extra })
const ledgers = [
  { name: 'site', zh: '监测对象', en: 'Sites', group: { zh: '名录', en: 'Register' }, columns: [col('code', '编码', 'Code', 'text', { required: true }), col('name', '名称', 'Name', 'text', { required: true }), col('kind', '类别', 'Kind', 'choice', { choices: [{ value: 'slope', zh: '边坡', en: 'Slope' }, { value: 'reservoir', zh: '水库', en: 'Reservoir' }] }), col('division_code', '区划', 'Division'), col('lon', '经度', 'Lon', 'number'), col('key_target', '重点目标', 'Key', 'boolean')], filters: ['kind'], search: ['name'], editable: ['code', 'name', 'kind', 'lon', 'key_target'], right: 'register', may_write: true, actions: [] },
  { name: 'person', zh: '人员', en: 'People', group: { zh: '名录', en: 'Register' }, columns: [col('name', '姓名', 'Name'), col('phone', '电话', 'Phone')], filters: [], search: [], editable: ['name'], may_write: false, actions: [] },
  { name: 'finding', zh: '研判结果', en: 'Findings', group: { zh: '研判', en: 'Judgement' }, columns: [col('at', '时间', 'At', 'datetime'), col('zh', '依据', 'Evidence')], filters: [], search: [], editable: [], may_write: false, actions: [] },
]
const ledgerRows = Array.from({ length: 130 }, (_, i) => ({ id: `site-${i}`, label: `示例 ${i} 号边坡`, code: `LH-B-${String(i).padStart(4, '0')}`, name: `示例 ${i} 号边坡`, kind: i % 5 ? 'slope' : 'reservoir', division_code: '440303009001', lon: 114.1 + i / 1000, key_target: i % 7 === 0 }))
const letters = [{ id: 'dead-1', code: 'collect.unknown_key', source: 'mqtt', device: 'LH-G-0093', topic: 'up/LH-G-0093', zh: '测点没有登记“dispx”这一量；在名录的设备里补登，或让设备改名', en: 'key “dispx” is not registered', count: 41, at: iso(4 * MIN), payload: '{"t": 1781419982000, "v": {"dispx": 0.0131}}' }, { id: 'dead-2', code: 'collect.future_time', source: 'mqtt', device: 'LH-T-0118', topic: 'up/LH-T-0118', zh: '时间超前 3 小时；请校时', en: 'time is 3 h ahead; set the clock', count: 3, at: iso(44 * MIN), payload: '{"t": 1781430782000}' }]
const health = () => ({ ok: true, engines: [{ name: 'PostgreSQL', ok: true, version: '16.9', latency_ms: 0.8, detail: '0.42 GB' }, { name: 'NATS JetStream', ok: true, version: '2.14.0', latency_ms: 3.1 }], lanes: [{ lane: 0, cursor: 182230, last: 182234, lag: 4, worker: 'worker (812)' }, { lane: 1, cursor: 99120, last: 99120, lag: 0, worker: 'worker (812)' }], letters: { open: 2, by_code: { 'collect.unknown_key': 1, 'collect.future_time': 1 } }, failed_events: [], events_waiting: 0, disk: { free_gb: 212, total_gb: 480 }, devices: { online: 402, offline: 12, total: 414 }, versions: { anlan: '0.1.0', python: '3.11' } })
let answered = null
const calls = () => [{ id: 'step-9', warning, site: { id: 'site-LH-B-0417', name: '仙桐公园 2 号边坡', name_en: 'Xiantong Park Slope 2', lon: 114.181, lat: 22.5712 }, post: '3 栋网格员', state: answered ?? 'calling', called_at: called, deadline: new Date(Date.parse(called) + 5 * MIN).toISOString(), next_post: '书记', area, signed_by: '区带班领导', desk_phone: '0755-0000000', doors: 28, doors_out: 4, shelter: { id: 'sh-1', name: '仙桐体育馆', name_en: 'Xiantong Gym', lon: 114.1772, lat: 22.5678, capacity: 600, occupancy: 214, distance_m: 420 } }]
const called = iso(1.5 * MIN)
const inbox = [{ id: 'note-5', title: '仙桐公园 2 号边坡 红色预警', text: warning.text, grade: 4, issued_at: warning.issued_at, reached: 2, instruction: warning.instruction }]
const order = (id, x) => ({ id, title: '红色即响', hazard: 'slope', grade: 4, site: null, area: '440303', actions: [{ action: 'siren_on', device_kind: 'siren' }, { action: 'issue' }], version: 2, signed_by: '陈值守', signed_at: iso(9 * DAY), valid_from: iso(9 * DAY), valid_to: null, division_code: '440303', ...x })
const orders = [order('order-1', {}), order('order-2', { title: '下穿积水即播', hazard: 'flood', grade: 3, area: '440303009', actions: [{ action: 'play', device_kind: 'loudspeaker' }], version: 1, valid_to: iso(-20 * DAY), division_code: '440303009' }), order('order-0', { version: 1, signed_at: iso(60 * DAY), valid_from: iso(60 * DAY), valid_to: iso(9 * DAY) })]
const conditions = [{ id: 7, code: 'engines.disk', zh: '磁盘剩 3 GB；请清理或扩容', en: 'The disk has 3 GB left; clean up or enlarge it', since: iso(12 * MIN), done: true }]
let trouble = false
export function more(method, path, q, body, emit) {
  let m
  if (path === '/warnings') return [{ ...warning }, { ...warning, id: 'warn-0', version: 1, grade: 3, state: 'superseded', title: '仙桐公园 2 号边坡 橙色预警', issued_at: iso(38 * MIN) }]
  if (/^\/warnings\/[^/]+\/reach$/.test(path)) return reach()
  if (/^\/warnings\/[^/]+$/.test(path)) return warning
  if (path === '/incidents') return [incident, { ...incident, id: 'inc-0', title: '布心路下穿 内涝', state: 'closed', opened_at: iso(2 * DAY) }]
  if (/^\/incidents\//.test(path)) return { ...incident, timeline, tasks, warnings: [warning], calls: [] }
  if (path === '/tasks') return tasks.filter((t) => t.person.id === 'person-1')
  if ((m = /^\/tasks\/([^/]+)\/(\w+)$/.exec(path))) { const t = tasks.find((x) => x.id === m[1]); t.state = { accept: 'accepted', done: 'done', refuse: 'refused' }[m[2]]; setTimeout(() => emit('respond.task.done', t.id), 50); return t }
  if (path === '/hazards') return hazards
  if ((m = /^\/hazards\/([^/]+)/.exec(path))) return detail(hazards.find((h) => h.id === m[1]) ?? hazards[0])
  if (path === '/cases') return cases
  if ((m = /^\/cases\/([^/]+)/.exec(path))) return cases.find((c) => c.id === m[1])
  if (/^\/trace\//.test(path)) return { nodes: nodes.map((x) => (x.id === path.slice(7) ? x : x)), edges, cut: false }
  if (path === '/ledgers') return ledgers
  if ((m = /^\/ledgers\/(\w+)\/import$/.exec(path))) return { accepted: 12, rejected: 2, rejected_file: '行,原因\n3,经度超出范围\n', errors: [{ row: 3, field: 'lon', value: '214.1', zh: '经度应在 73–136', en: 'longitude must be 73–136' }] }
  if ((m = /^\/ledgers\/(\w+)\/([^/]+)\/history$/.exec(path))) return [{ at: iso(DAY), actor: '名录管理员', action: 'update', changes: { name: ['旧名', '新名'] } }]
  if ((m = /^\/ledgers\/(\w+)\/([^/]+)$/.exec(path))) return method === 'PATCH' && body.name === '' ? [400, { code: 'web.bad_fields', zh: '有错', en: 'wrong', fields: { name: { zh: '不能为空', en: 'must not be empty' } } }] : { ledger: ledgers[0], row: ledgerRows.find((r) => r.id === m[2]) ?? ledgerRows[0] }
  if ((m = /^\/ledgers\/(\w+)$/.exec(path))) { const page = Number(q.get('page') ?? 1); const hit = ledgerRows.filter((r) => !q.get('q') || r.name.includes(q.get('q'))); return { rows: hit.slice((page - 1) * 50, page * 50), total: hit.length, page, size: 50 } }
  if (path === '/system/health') return health()
  if (path === '/mock/trouble') { trouble = true; return {} }
  if (/^\/system\/conditions\/\d+\/done$/.test(path)) { trouble = false; return {} }
  if (path === '/system/conditions') return { conditions: trouble ? conditions : [] }
  if (path === '/orders' && method === 'POST') { orders.unshift(order(`order-${orders.length}`, { ...body, version: 1, signed_at: iso(0), valid_from: iso(0), division_code: body.area })); return orders[0] }
  if (path === '/orders') return orders
  if ((m = /^\/orders\/([^/]+)\/withdraw$/.exec(path))) { const o = orders.find((x) => x.id === m[1]); o.valid_to = iso(0); return o }
  if (path === '/letters') return letters
  if (/^\/letters\//.test(path)) { letters.shift(); return {} }
  if (path === '/calls') return calls()
  if (/^\/calls\//.test(path)) { answered = body.accept ? 'answered' : 'refused'; return {} }
  if (path === '/doors') return doorList()
  if ((m = /^\/doors\/([^/]+)$/.exec(path))) { doorSaid[m[1]] = body.answer; return { notice: m[1], answer: body.answer } }
  if (path === '/inbox') return inbox
  if ((m = /^\/notices\/([^/]+)\/(\w+)$/.exec(path))) { inbox[0].reached = m[2] === 'act' ? 4 : 3; return {} }
  if (/^\/h\//.test(path)) return method === 'POST' ? {} : { household: { building: '3 栋', door: '403' }, messages: [{ ...warning, at: warning.issued_at, reached: 2 }] }
  return null
}
