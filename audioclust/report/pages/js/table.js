// The recordings that are picked, or else all that are shown, as a table that sorts: the map in words.
import {count, make, plain, tailed} from "./dom.js";
import {Store} from "./store.js";
import {walkable, windowed} from "./windowed.js";

const HEIGHT = 33,
  LONGEST = 60;

export function table(store) {
  let rows = [],
    sorted = null,
    down = false;
  const caption = make("p.facts");
  const all = make("button", {
    type: "button",
    title: "so that a correction is about all of them",
    onclick: () => store.pick(store.picked.length ? [] : store.visibleRows()),
  });
  const head = make("tr"),
    body = make("tbody");
  const grid = make("table", {"aria-label": "Recordings"}, make("thead", {}, head), body);
  const scroller = make("div.scroller", {tabindex: 0, role: "group", "aria-label": "Table of recordings"}, grid);
  const columns = () => [{name: "name", of: row => store.names[row]}, ...store.columns()];
  const text = (column, row) => plain(column.of ? column.of(row) : Store.text(column, row));

  const cell = (column, row) => {
    const content = Array.from(text(column, row));
    return make(
      column.values ? "td.number" : "td",
      {},
      content.length > LONGEST ? tailed(content.join("")) : content.join(""),
    );
  };
  const line = (row, place) =>
    make(
      `tr${row === store.current ? ".current" : ""}`,
      {"aria-rowindex": place + 2},
      make(
        "th",
        {scope: "row"},
        make(
          "button.link",
          {
            type: "button",
            "data-row": row,
            tabindex: row === store.current || place === 0 ? 0 : -1,
            onclick: () => store.choose(row, {play: true}),
          },
          tailed(store.names[row]),
        ),
      ),
      ...columns()
        .slice(1)
        .map(column => cell(column, row)),
    );
  const filler = height => make("tr", {"aria-hidden": "true"}, pad(height));
  const pad = height => {
    const cell = make("td.pad");
    cell.style.height = `${height}px`;
    return cell;
  };
  const view = windowed(
    scroller,
    {count: () => rows.length, height: HEIGHT, header: () => HEIGHT},
    (first, last, before, after) => {
      body.replaceChildren(
        ...(before ? [filler(before)] : []),
        ...rows.slice(first, last).map((row, place) => line(row, first + place)),
        ...(after ? [filler(after)] : []),
      );
    },
  );
  walkable(
    body,
    view,
    () => rows,
    () => ({ArrowDown: 1, ArrowUp: -1}),
  );

  function sort(column) {
    down = sorted === column.name ? !down : Boolean(column.values);
    sorted = column.name;
    fill();
  }

  function order() {
    const column = columns().find(each => each.name === sorted);
    if (!column) return;
    const compare = new Intl.Collator(undefined, {numeric: true}).compare;
    let key = column.values ? row => column.values[row] : row => text(column, row);
    if (column.codes) {
      const rank = new Map(
        column.texts
          .map((each, code) => [each, code])
          .sort((a, b) => compare(a[0], b[0]))
          .map(([, code], place) => [code, place]),
      );
      key = row => rank.get(column.codes[row]) ?? null;
    }
    const by = column.of ? compare : (a, b) => a - b;
    rows.sort((a, b) => {
      const one = key(a),
        other = key(b);
      if (one === null || other === null) return (one === null) - (other === null) || a - b;
      return (down ? -by(one, other) : by(one, other)) || a - b;
    });
  }

  function fill() {
    rows = [...store.rows()];
    order();
    caption.textContent = store.picked.length
      ? `${count(rows.length, "recording")} selected`
      : count(rows.length, "recording");
    all.textContent = store.picked.length ? "Clear the selection" : "Select all of these";
    head.replaceChildren(
      ...columns().map(column =>
        make(
          column.values ? "th.number" : "th",
          {scope: "col", "aria-sort": sorted === column.name ? (down ? "descending" : "ascending") : "none"},
          make("button.link", {type: "button", onclick: () => sort(column)}, plain(column.name)),
        ),
      ),
    );
    grid.setAttribute("aria-rowcount", rows.length + 1);
    scroller.scrollTop = 0;
    view.refresh();
  }
  let stale = true;
  const element = make("div.table", {}, make("div.bar.between", {}, caption, all), scroller);
  const refresh = () => {
    if (stale) {
      stale = false;
      fill();
    } else view.refresh();
  };
  store.on("pick filter grouping marks", () => {
    stale = true;
    if (element.offsetParent) refresh();
  });
  store.on("choose", () => {
    if (element.offsetParent) view.refresh();
  });
  return {element, refresh};
}
