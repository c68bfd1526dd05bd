// A small server with made-up data per docs/api.md, for work on the ui without the platform. `node dev/mock.mjs [port]` serves dist/ too.
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { base, terrain } from './mock/geo.mjs'
import { more } from './mock/office.mjs'
import { detail, readings, siteDetail } from './mock/series.mjs'
import { horns, objects, proposal, queue, signed, stations } from './mock/story.mjs'

const port = Number(process.argv[2] ?? 8765)
const dist = fileURLToPath(new URL('../dist', import.meta.url))
const TYPE = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.html': 'text/html; charset=utf-8', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' }
const me = { person: { id: 'person-1', name: '陈值守' }, roles: [{ role: 'commander', zh: '白班 · 值守长', en: 'Day · Duty lead', division_code: '440303' }], rights: Object.fromEntries(['sign', 'command', 'notify', 'supervise', 'respond', 'claim', 'consult', 'register', 'admin', 'analyse'].map((r) => [r, ['440303']])), scopes: ['440303'], demo: true, csrf: 'x', clock: { now_ms: Date.now(), speed: 1 } }
let logged = !process.argv.includes('--login')
const clients = new Set()
let eventId = 1
export const emit = (type, subject, payload = {}) => { const frame = `id: ${eventId++}\nevent: ${type}\ndata: ${JSON.stringify({ subject, payload, division_code: '440303', at: new Date().toISOString() })}\n\n`; clients.forEach((c) => c.write(frame)) }
setInterval(() => clients.forEach((c) => c.write(`event: values\ndata: ${JSON.stringify({ t: [1, 2, 3], q: [2, 2, 1], v: [0.07, 0.02, 0.04], at_ms: [Date.now(), Date.now(), Date.now()], clock: { now_ms: Date.now(), speed: 1 } })}\n\n`)), 2000)

const columns = () => { const keys = ['number', 'id', 'code', 'name', 'name_en', 'kind', 'site', 'lon', 'lat', 'state', 'grade', 'age_s']; return { ...Object.fromEntries(keys.map((k) => [k, stations.map((s) => s[k])])), total: 2846, live: 2834, offline: 12 } }
function api(method, path, q, body) {
  let m
  if (path === '/me') return logged ? { ...me, clock: { now_ms: Date.now(), speed: 1 } } : [401, { code: 'web.login', zh: '请先登录', en: 'please log in' }]
  if (path === '/login') { if (body.password === 'wrong') return [401, { code: 'web.login', zh: '账号或密码不对', en: 'wrong user name or password' }]; logged = true; return me }
  if (path === '/logout') { logged = false; return {} }
  if (path === '/map/base') return base
  if (path === '/map/stations') return columns()
  if (path === '/map/objects') return objects()
  if (path === '/desk/queue') return queue()
  if ((m = /^\/proposals\/([^/]+)(?:\/(\w+))?$/.exec(path))) {
    if (method === 'POST') {
      if (m[2] === 'claim') signed.claimed = me.person
      if (m[2] === 'sign') { signed.at = new Date().toISOString(); horns.forEach((h) => (h.state = 'sent')); horns.forEach((h, i) => setTimeout(() => { h.state = i === 10 ? 'silent' : 'played'; emit('notify.receipt.added', 'note-1') }, 900 + i * 500)) }
      if (m[2] === 'decline') signed.declined = { at: new Date().toISOString(), reason: body.reason }
      setTimeout(() => emit(m[2] === 'sign' ? 'issue.warning.issued' : 'issue.proposal.claimed', m[1]), 50)
    }
    return proposal()
  }
  if ((m = /^\/stations\/([^/]+)\/readings$/.exec(path))) return readings(decodeURIComponent(m[1]), q.get('quantity'), Date.parse(q.get('from')), Date.parse(q.get('to')), Number(q.get('points') ?? 2000))
  if ((m = /^\/stations\/([^/]+)$/.exec(path))) return detail(decodeURIComponent(m[1])) ?? [404, { code: 'web.missing', zh: '没有这个测点', en: 'no such station' }]
  if ((m = /^\/sites\/([^/]+)$/.exec(path))) return siteDetail(decodeURIComponent(m[1])) ?? [404, { code: 'web.missing', zh: '没有这个对象', en: 'no such site' }]
  return more(method, path, q, body, emit) ?? [404, { code: 'web.missing', zh: `没有 ${path}`, en: `no ${path}` }]
}
createServer((request, response) => {
  const url = new URL(request.url, 'http://x')
  let m
  if (url.pathname === '/api/stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    response.write(`retry: 1000\n\nevent: hello\ndata: {"live":true}\n\n`)
    clients.add(response)
    request.on('close', () => clients.delete(response))
    return
  }
  if ((m = /^\/api\/terrain\/(\d+)\/(\d+)\/(\d+)\.png$/.exec(url.pathname))) { response.writeHead(200, { 'content-type': 'image/png' }); return response.end(terrain(+m[1], +m[2], +m[3])) }
  if (url.pathname.startsWith('/api/tiles/')) { response.writeHead(204); return response.end() }
  if (url.pathname.startsWith('/api/')) {
    const parts = []
    request.on('data', (d) => parts.push(d))
    request.on('end', () => {
      let body = {}
      try { body = JSON.parse(Buffer.concat(parts).toString() || '{}') } catch { body = {} }
      const answer = api(request.method, url.pathname.slice(4), url.searchParams, body)
      const [status, data] = Array.isArray(answer) && typeof answer[0] === 'number' && answer.length === 2 ? answer : [200, answer]
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(data))
    })
    return
  }
  let file = join(dist, decodeURIComponent(url.pathname))
  if (!file.startsWith(dist) || !existsSync(file) || statSync(file).isDirectory()) file = join(dist, 'index.html')
  response.writeHead(200, { 'content-type': TYPE[extname(file)] ?? 'application/octet-stream' })
  createReadStream(file).pipe(response)
}).listen(port, '127.0.0.1', () => console.log(`mock on http://127.0.0.1:${port}`))
