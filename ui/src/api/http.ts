/** Calls to the server: session cookie, CSRF header, errors as one class with words in both languages. */

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly zh: string,
    readonly en: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(zh || en || code)
  }
  /** True when nobody answered: the request may be tried again unchanged. */
  get offline(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504
  }
}

let csrf = ''
export const setCsrf = (value: string): void => void (csrf = value)
/** Called when a session has ended, so that the shell can ask for a log-in. */
export const onUnauthorised: { handler: (() => void) | null } = { handler: null }
/** What the last answer said of reachability; the shell shows it. */
export const onReach: { handler: ((ok: boolean) => void) | null } = { handler: null }

const cookie = (name: string): string => document.cookie.split('; ').find((c) => c.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''

async function call<T>(method: string, path: string, body?: unknown, timeoutMs = 20_000): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (method !== 'GET') headers['X-CSRFToken'] = csrf || cookie('csrftoken')
  const form = body instanceof FormData
  if (body !== undefined && !form) headers['Content-Type'] = 'application/json'
  let answer: Response
  try {
    answer = await fetch(`/api${path}`, { method, headers, credentials: 'same-origin', body: form ? body : body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(timeoutMs) })
  } catch {
    onReach.handler?.(false)
    throw new ApiError(0, 'ui.unreachable', '服务没有应答', 'The service does not answer')
  }
  onReach.handler?.(answer.status < 502)
  const kind = answer.headers.get('content-type') ?? ''
  const data: unknown = answer.status === 204 ? null : kind.includes('json') ? await answer.json() : await answer.text()
  if (answer.ok) return data as T
  const e = (data && typeof data === 'object' ? data : {}) as Record<string, unknown>
  if (answer.status === 401 && path !== '/login') onUnauthorised.handler?.()
  const words = `${answer.status} ${answer.statusText}`
  throw new ApiError(answer.status, String(e.code ?? 'ui.http'), String(e.zh ?? e.detail ?? words), String(e.en ?? e.detail ?? words), e)
}

export const get = <T>(path: string): Promise<T> => call<T>('GET', path)
export const post = <T>(path: string, body: unknown = {}): Promise<T> => call<T>('POST', path, body)
export const patch = <T>(path: string, body: unknown): Promise<T> => call<T>('PATCH', path, body)
/** Upload of a file; long time limit. */
export const upload = <T>(path: string, file: File): Promise<T> => {
  const form = new FormData()
  form.append('file', file)
  return call<T>('POST', path, form, 120_000)
}
