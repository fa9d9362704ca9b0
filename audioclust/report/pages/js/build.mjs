// npm ci && npm run build: writes the files that are kept in ../built; with a folder as argument, writes them there.
import {build} from "esbuild";
import {fileURLToPath} from "node:url";
import {dirname, join} from "node:path";

const here = dirname(fileURLToPath(import.meta.url));
const outdir = process.argv[2] ?? join(here, "..", "built");
const shared = {
  bundle: true,
  minify: true,
  charset: "utf8",
  legalComments: "none",
  target: "es2022",
  outdir,
  logLevel: "warning",
};

// listen.js is put into a page that stands alone; core.js is a module: mount(root, data, source).
await build({...shared, entryPoints: {listen: join(here, "page.js")}, format: "iife"});
// widget.js is the same for JupyterLab.
await build({...shared, entryPoints: {core: join(here, "core.js"), widget: join(here, "widget.js")}, format: "esm"});
await build({...shared, entryPoints: {core: join(here, "core.css"), listen: join(here, "page.css")}});
