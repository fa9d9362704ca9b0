// One group at a time: its medoid, typical, border and outlying recordings first, then all others.
import {count, make, plain, share, tailed} from "./dom.js";
import {NO_GROUP, Store} from "./store.js";
import {walkable, windowed} from "./windowed.js";

const HEIGHT = 116,
  PLAIN = 62,
  WIDTH = 148,
  MOST_LABELS = 4;

export function sheet(store, player, pictures, marks) {
  let cluster = store.grouping.clusters[0],
    rows = [],
    kinds = new Map();
  const choice = make("select.grow", {"aria-label": "Group", onchange: () => open(Number(choice.value))});
  const name = make("input.grow", {
    type: "text",
    "aria-label": "Name of the group",
    placeholder: "give it a name",
    maxlength: 120,
    onchange: () => marks.add({kind: "name", cluster, grouping: store.grouping.place, text: name.value.trim()}),
  });
  const all = make(
    "button",
    {type: "button", onclick: () => (player.queue.length ? player.stop() : player.playAll(rows))},
    "Play all",
  );
  const step = by => () => {
    const {clusters} = store.grouping;
    open(clusters[(clusters.indexOf(cluster) + by + clusters.length) % clusters.length]);
  };
  const facts = make("p.facts");
  const list = make(pictures.form ? "div.cards" : "div.cards.plain", {
    role: "group",
    "aria-label": "Recordings of the group",
  });
  const scroller = make("div.scroller", {}, list);
  const element = make(
    "div.sheet",
    {},
    make(
      "div.bar",
      {},
      make("button.icon", {type: "button", "aria-label": "Previous group", onclick: step(-1)}, "‹"),
      choice,
      make("button.icon", {type: "button", "aria-label": "Next group", onclick: step(1)}, "›"),
      all,
    ),
    make("div.bar", {}, name),
    facts,
    scroller,
  );
  const across = () => Math.max(1, Math.floor((scroller.clientWidth + 8) / (WIDTH + 8)));

  const card = (row, place) => {
    const kind = kinds.get(row),
      {confidence} = store.data;
    const silhouette = store.data.columns.find(column => column.name === "silhouette");
    const worth = confidence ? confidence[row] : silhouette ? silhouette.values[row] : null;
    const label = store.data.columns.find(column => column.name === store.data.truth);
    const sign = kind ? make(`span.kind.${kind.split(" ")[0]}`, {}, kind) : null;
    return make(
      `button.card${row === store.current ? ".current" : ""}`,
      {
        type: "button",
        "data-row": row,
        tabindex: place === 0 || row === store.current ? 0 : -1,
        onclick: () => store.choose(row, {play: true}),
      },
      pictures.form ? make("span.frame", {}, pictures.thumbnail(row), sign) : null,
      tailed(store.names[row]),
      make(
        "span.meta",
        {},
        make("bdi", {}, label ? plain(Store.text(label, row)) : ""),
        pictures.form ? null : sign,
        worth === null ? null : make("span", {title: confidence ? "confidence" : "silhouette"}, share(worth)),
      ),
    );
  };
  const view = windowed(
    scroller,
    {count: () => rows.length, height: (pictures.form ? HEIGHT : PLAIN) + 8, across},
    (first, last, before, after) => {
      list.style.paddingTop = `${before}px`;
      list.style.paddingBottom = `${after}px`;
      list.style.gridTemplateColumns = `repeat(${across()}, minmax(0, 1fr))`;
      list.replaceChildren(...rows.slice(first, last).map((row, place) => card(row, first + place)));
    },
  );
  walkable(
    list,
    view,
    () => rows,
    () => ({ArrowRight: 1, ArrowLeft: -1, ArrowDown: across(), ArrowUp: -across()}),
  );

  function open(wanted) {
    cluster = store.grouping.members.has(wanted) ? wanted : store.grouping.clusters[0];
    const items = store.grouping.sheets.get(cluster) ?? [],
      members = store.grouping.members.get(cluster) ?? [];
    kinds = new Map(items);
    const listed = [...items.map(([row]) => row), ...members.filter(row => !kinds.has(row))];
    rows = listed.filter(row => store.visible[row]);
    choice.value = String(cluster);
    name.value = store.given.get(`${store.grouping.place} ${cluster}`) ?? "";
    name.disabled = cluster === NO_GROUP;
    facts.textContent = [
      rows.length < listed.length
        ? `${rows.length} of ${count(listed.length, "recording")} shown`
        : count(listed.length, "recording"),
      mixture(listed),
    ]
      .filter(Boolean)
      .join(" · ");
    scroller.scrollTop = 0;
    view.refresh();
  }

  function mixture(listed) {
    const label = store.data.columns.find(column => column.name === store.data.truth);
    if (!label?.codes) return "";
    const counts = new Map();
    for (const row of listed) counts.set(Store.text(label, row), (counts.get(Store.text(label, row)) ?? 0) + 1);
    const ranked = [...counts].filter(([text]) => text).sort((a, b) => b[1] - a[1]);
    const most = ranked.slice(0, MOST_LABELS).map(([text, n]) => `${Array.from(text).slice(0, 40).join("")} ${n}`);
    return [...most, ...(ranked.length > MOST_LABELS ? [`${ranked.length - MOST_LABELS} more`] : [])].join(", ");
  }

  function fill() {
    const {grouping} = store;
    choice.replaceChildren(
      ...grouping.clusters.map(each =>
        make("option", {value: each}, `${store.groupName(each)} (${grouping.members.get(each).length})`),
      ),
    );
    open(cluster);
  }
  store.on("grouping marks", fill);
  store.on("queue", () => {
    all.textContent = player.queue.length ? "Stop" : "Play all";
  });
  store.on("filter", () => open(cluster));
  store.on("choose", () => {
    const own = store.grouping.labels[store.current];
    if (own !== cluster) open(own);
    for (const each of list.children) each.classList.toggle("current", Number(each.dataset.row) === store.current);
  });
  fill();
  return {element, refresh: () => view.refresh()};
}
