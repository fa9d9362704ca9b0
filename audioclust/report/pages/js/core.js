// The explorer of a clustering: mount(root, data, source) puts it into an element.
//
// data: what `audioclust.report.pages.listening` writes: title, facts, page, paths, sha256, at, groupings, confidence,
//   columns, neighbours, parts, problems, thumbnails, truth.
// source: sound(row) -> {bytes, type} | {url} | null, and sprite(number) -> bytes of a sheet of thumbnails; both may be
//   promises. changed(document), where there, is told the corrections after every change.
import {actions} from "./actions.js";
import {details} from "./details.js";
import {count, make, plain} from "./dom.js";
import {legend} from "./legend.js";
import {mapKeys} from "./keys.js";
import {MapView} from "./map.js";
import {Marks} from "./marks.js";
import {nowCard} from "./now.js";
import {Pictures} from "./pictures.js";
import {Player} from "./player.js";
import {saved} from "./saved.js";
import {sheet} from "./sheet.js";
import {Store} from "./store.js";
import {table} from "./table.js";
import {tabs} from "./tabs.js";
import {mapButtons, tools} from "./tools.js";

export function mount(root, data, source = {}) {
  root.classList.add("audioclust");
  if (!data.paths.length) {
    root.replaceChildren(make("p.empty", {}, "No recordings."));
    return {
      destroy() {
        root.replaceChildren();
      },
      corrections: () => null,
    };
  }
  const store = new Store(data),
    status = make("div.status", {role: "status", "aria-live": "polite"});
  const say = text => {
    status.textContent = plain(text);
  };
  store.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.replaceChildren();
  const pictures = new Pictures(store, source),
    player = new Player(store, source, say);
  const marks = new Marks(store, document => source.changed?.(document));
  const act = actions(store, marks, say);
  const now = nowCard(store, player, pictures, act.element);
  const layout = make("div.layout", {});
  root.append(layout, status);
  const map = data.at ? new MapView(store, pictures, marks) : null;
  const pages = {
    Group: sheet(store, player, pictures, marks),
    Details: details(store, map),
    Table: table(store),
    Corrections: saved(store, marks, say),
  };
  const panel = make("div.panel", {}, now, tabs(pages));
  layout.append(
    ...(map
      ? [make("div.space", {}, tools(store, map), make("div.ground", {}, map.box, mapButtons(map)), legend(store))]
      : []),
    panel,
  );
  layout.classList.toggle("flat", !map);
  layout.prepend(header(data, store));
  if (map) mapKeys(store, map, player, marks, act.keys, say);
  followTheme(root, store);
  store.on("choose", () => {
    const row = store.current,
      confidence = data.confidence?.[row];
    say(
      [
        store.names[row],
        store.groupOf(row),
        ...(confidence === null || confidence === undefined ? [] : [`confidence ${confidence}`]),
      ].join(", "),
    );
  });
  store.on("pick", () => say(`${count(store.picked.length, "recording")} selected`));
  return {
    store,
    map,
    player,
    corrections: () => marks.document(),
    load: document => marks.load(document),
    choose: (row, options) => store.choose(row, options),
    destroy() {
      player.stop();
      root.replaceChildren();
    },
  };
}

function header(data, store) {
  const found = make("output.count");
  const search = make("input", {
    type: "search",
    placeholder: "Search names and all columns",
    "aria-label": "Search all columns",
    oninput: () => {
      clearTimeout(search.waiting);
      search.waiting = setTimeout(() => store.search(search.value), store.n > 50_000 ? 200 : 60);
    },
  });
  const tell = () => {
    found.textContent =
      store.shown === store.n ? "" : `${store.shown.toLocaleString("en")} of ${store.n.toLocaleString("en")}`;
  };
  store.on("filter", tell);
  return make(
    "header",
    {},
    make("div", {}, make("h1", {}, plain(data.title)), make("p", {}, data.facts.map(plain).join(" · "))),
    make("div.search", {}, found, search),
  );
}

/** Colours are drawn anew when the ground turns dark or light. */
function followTheme(root, store) {
  const settle = () => {
    const dark = getComputedStyle(root).getPropertyValue("--dark-ground").trim() === "1";
    if (dark !== store.dark) {
      store.dark = dark;
      store.tell("theme");
    }
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", settle);
  new MutationObserver(settle).observe(root, {attributes: true, attributeFilter: ["data-theme"]});
  settle();
}
