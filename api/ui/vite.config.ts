import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// During work on the pages, `npm run dev` talks to a server started by hand.
const server = process.env.WATCHBILL_URL ?? 'http://127.0.0.1:7470';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    // Everything is a file of its own: the content security policy allows neither
    // inline scripts nor data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: true,
  },
  server: { proxy: { '/api': server, '/openapi.json': server, '/-': server, '/metrics': server } },
});
