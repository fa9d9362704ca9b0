// All that is known of the chosen recording, and the recordings most like it.
import {make, number, plain, tailed} from "./dom.js";
import {Store} from "./store.js";

const NEAREST = 6;

export function details(store, map) {
  const list = make("dl"),
    title = make("h3", {hidden: true}),
    nearest = make("div.nearest");
  const element = make(
    "div.details.scroller",
    {tabindex: 0, role: "group", "aria-label": "Details"},
    list,
    title,
    nearest,
  );

  function neighbours(row) {
    const given = store.data.neighbours?.[row];
    if (given) return ["Most similar", given];
    if (!map) return ["", []];
    const far = other => (map.x[other] - map.x[row]) ** 2 + (map.y[other] - map.y[row]) ** 2;
    const best = []; // the nearest so far, in order
    for (let other = 0; other < store.n; other++) {
      if (other === row) continue;
      const distance = far(other);
      if (best.length === NEAREST && distance >= best[NEAREST - 1][0]) continue;
      best.push([distance, other]);
      best.sort((a, b) => a[0] - b[0]);
      best.length = Math.min(best.length, NEAREST);
    }
    return ["Nearest on the map", best.map(([, other]) => other)];
  }

  function show() {
    const row = store.current;
    if (row === null) {
      list.replaceChildren(
        make("dt", {}, ""),
        make("dd", {}, "Click a point of the map: it plays, and what is known of it stands here."),
      );
      return;
    }
    const entry = (name, value) => [make("dt", {}, plain(name)), make("dd", {}, make("bdi", {}, plain(value)))];
    const worth = column =>
      column.values ? (column.values[row] === null ? "" : number(column.values[row], 3)) : Store.text(column, row);
    list.replaceChildren(
      ...entry("path", store.data.paths[row]),
      ...store
        .columns()
        .map(column => [column.name, worth(column)])
        .filter(([, value]) => value !== "")
        .flatMap(pair => entry(...pair)),
    );
    const [text, others] = neighbours(row);
    title.textContent = text;
    title.hidden = !others.length;
    nearest.replaceChildren(
      ...others.map(other =>
        make(
          "button.link.line",
          {type: "button", onclick: () => store.choose(other, {play: true})},
          tailed(store.names[other]),
          make("small", {}, store.groupOf(other)),
        ),
      ),
    );
  }
  store.on("choose grouping marks", show);
  show();
  return {element, refresh: () => {}};
}
