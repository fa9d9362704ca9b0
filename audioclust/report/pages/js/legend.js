// What colours and shapes mean; a click on a value hides or shows it, numbers are narrowed to a range.
import {coding} from "./colours.js";
import {make, number, plain, roving} from "./dom.js";
import {swatch} from "./splat.js";

const MOST = 120;

export function legend(store) {
  const element = make("div.legend", {role: "group", "aria-label": "Legend and filter"});
  const settle = roving(element, "button.entry");

  function draw() {
    const look = coding(store.coloured, store.dark);
    element.replaceChildren(...(look.entries ? entries(look) : scale(look)), ...(store.hollow ? [unsure(look)] : []));
    settle();
  }

  function entries(look) {
    const {hidden} = store;
    const shown = look.entries.slice(0, MOST).map(({code, text, count}) =>
      make(
        "button.entry",
        {
          type: "button",
          "aria-pressed": String(!hidden.has(code)),
          title: "click: show or hide; double click: only this",
          onclick: event => {
            if (event.detail === 2 || event.altKey) only(look, code);
            else if (hidden.has(code)) hidden.delete(code);
            else hidden.add(code);
            store.filter();
            mark();
          },
          "data-code": code,
        },
        swatch(look.colours[code], look.shapes[code]),
        make("bdi", {}, text === null ? missing() : plain(text)),
        make("small", {}, count.toLocaleString("en")),
      ),
    );
    if (look.entries.length > MOST) shown.push(make("span.rest", {}, `and ${look.entries.length - MOST} more`));
    shown.push(
      make(
        "button.entry.all",
        {
          type: "button",
          hidden: !hidden.size,
          onclick: () => {
            hidden.clear();
            store.filter();
            mark();
          },
        },
        "show all",
      ),
    );
    return shown;
  }

  const unsure = look =>
    make(
      "span.rest",
      {},
      swatch(look.colours[0], 0, true),
      `confidence below 0.5: ${store.unsure.reduce((sum, one) => sum + one, 0)}`,
    );
  const missing = () => (store.coloured.name === "group" ? "in no group" : "no value");

  function only(look, code) {
    store.hidden.clear();
    for (const entry of look.entries) if (entry.code !== code) store.hidden.add(entry.code);
  }

  function mark() {
    element.querySelector(".all").hidden = !store.hidden.size;
    for (const button of element.querySelectorAll("[data-code]")) {
      button.setAttribute("aria-pressed", String(!store.hidden.has(Number(button.dataset.code))));
    }
  }

  function scale(look) {
    const {low, high} = look,
      range = store.range ?? [low, high];
    const ends = ["least", "most"].map((end, place) =>
      make("input", {
        type: "range",
        min: low,
        max: high,
        step: "any",
        value: range[place],
        "aria-label": `${end} ${plain(look.column.name)} shown`,
        oninput: () => {
          const values = ends.map(input => Number(input.value));
          store.range = values[0] <= low && values[1] >= high ? null : values;
          texts.forEach((text, k) => {
            text.textContent = number(values[k]);
          });
          store.filter();
        },
      }),
    );
    const texts = range.map(value => make("output", {}, number(value)));
    const strip = make("canvas.strip", {width: 24, height: 1}),
      pen = strip.getContext("2d");
    look.colours.slice(0, -1).forEach((colour, step) => {
      pen.fillStyle = colour;
      pen.fillRect(step, 0, 1, 1);
    });
    const none = look.missing
      ? [make("span.rest", {}, swatch(look.colours.at(-1), look.shapes.at(-1)), `no value ${look.missing}`)]
      : [];
    return [texts[0], make("div.range", {}, strip, ...ends), texts[1], ...none];
  }

  store.on("colour grouping theme", draw);
  store.on("marks", () => {
    if (store.coloured.name === "group") draw();
  });
  draw();
  return element;
}
