import '@fontsource-variable/inter/wght.css'
import '@fontsource-variable/noto-sans-sc/wght.css'
import './kit/tokens.css'
import './kit/base.css'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n, setLang, lang } from './kit/words'
import { makeRouter } from './router'

void setLang(lang()).then(() => createApp(App).use(createPinia()).use(i18n).use(makeRouter()).mount('#app'))
