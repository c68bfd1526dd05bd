import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

const api = process.env.ANLAN_API ?? 'http://127.0.0.1:8765'

/** Which big library a module belongs to; each becomes one long-cached file. */
const groups = [
  { name: 'map', test: /node_modules[\\/](maplibre-gl|@maplibre|@mapbox|geojson-vt|kdbush|earcut|pbf)/ },
  { name: 'charts', test: /node_modules[\\/](echarts|zrender)/ },
  { name: 'forms', test: /node_modules[\\/](naive-ui|vueuc|vooks|css-render|@css-render|treemate|date-fns|async-validator|seemly|evtd|vdirs|lodash)/ },
  { name: 'vue', test: /node_modules[\\/](@vue|vue|vue-router|pinia|@intlify|vue-i18n)/ },
]

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_I18N_FULL_INSTALL__: true, __VUE_I18N_LEGACY_API__: false, __INTLIFY_PROD_DEVTOOLS__: false },
  build: { chunkSizeWarningLimit: 1400, assetsInlineLimit: 0, rolldownOptions: { output: { codeSplitting: { groups } } } },
  worker: { format: 'es' },
  server: { proxy: { '/api': { target: api } } },
  preview: { proxy: { '/api': { target: api } } },
  test: { environment: 'jsdom', include: ['tests/**/*.test.ts'] },
})
