import '@fontsource-variable/inter/wght.css'
import '@fontsource-variable/noto-sans-sc/wght.css'
import './kit/tokens.css'
import './kit/base.css'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n, setLang, lang } from './kit/words'
import { makeRouter } from './router'

// The platform was upgraded under an open page: its old parts are gone, so the page is taken anew (once in ten seconds at most).
window.addEventListener('vite:preloadError', (e) => {
  const last = Number(sessionStorage.getItem('anlan.renewed') ?? 0)
  if (Date.now() - last < 10_000) return
  sessionStorage.setItem('anlan.renewed', String(Date.now()))
  e.preventDefault()
  window.location.reload()
})
void setLang(lang()).then(() => createApp(App).use(createPinia()).use(i18n).use(makeRouter()).mount('#app'))
