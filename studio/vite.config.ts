import { defineConfig } from "vite";

// The build is committed, so that nobody who installs dragkit needs Node: names without hashes, one file each.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/dragkit/studio/static",
    emptyOutDir: true,
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        entryFileNames: "studio.js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8765" } },
});
