// What stands above the map: levels of groups, the column of the colours, and how the map is used.
import {make, plain} from "./dom.js";

let made = 0;

export function tools(store, map) {
  const colour = make("select", {"aria-label": "Colour by", onchange: () => store.colourBy(colour.value)});
  const fill = () => {
    colour.replaceChildren(...store.columns().map(({name}) => make("option", {value: name}, plain(name))));
    colour.value = store.coloured.name;
  };
  store.on("colour", fill);
  fill();
  const boxes = [
    ...(store.unsure
      ? [
          check("Confidence", "hollow: confidence below 0.5", on => {
            store.hollow = on;
            store.tell("colour");
          }),
        ]
      : []),
    check("Play on hover", "a recording plays when it is pointed at", on => {
      map.playOnHover = on;
    }),
    check(
      "Letter keys",
      "letters act while the map has the focus: press ? there",
      on => {
        map.letters = on;
      },
      true,
    ),
  ];
  map.letters = true;
  return make(
    "div.bar.tools",
    {role: "group", "aria-label": "Map"},
    ...(store.groupings.length > 1 ? [levels(store)] : []),
    make("label", {}, "Colour ", colour),
    ...boxes,
  );
}

/** Buttons that stand on the map: the lasso, and the view. */
export function mapButtons(map) {
  const lasso = make(
    "button",
    {
      type: "button",
      "aria-pressed": "false",
      title: "Draw around recordings to select them (or hold shift)",
      onclick: () => {
        map.lassoMode(!map.drawing);
        lasso.setAttribute("aria-pressed", String(map.drawing));
      },
    },
    "Lasso",
  );
  const views = [
    ["+", "Zoom in", () => map.zoomBy(1.6)],
    ["−", "Zoom out", () => map.zoomBy(1 / 1.6)],
    ["⤢", "Whole map", () => map.reset()],
  ].map(([sign, label, onclick]) =>
    make("button.icon", {type: "button", "aria-label": label, title: label, onclick}, sign),
  );
  return make("div.bar.over", {role: "group", "aria-label": "View of the map"}, lasso, ...views);
}

function check(text, title, act, on = false) {
  const box = make("input", {type: "checkbox", checked: on, onchange: () => act(box.checked)});
  return make("label", {title}, box, text);
}

/** The levels of the ladder: the same recordings in few or many groups. */
function levels(store) {
  const name = `audioclust-level-${++made}`;
  const places = store.groupings
    .map((_, place) => place)
    .sort((a, b) => store.groupings[a].clusters.length - store.groupings[b].clusters.length);
  return make(
    "div.levels",
    {role: "radiogroup", "aria-label": "Number of groups"},
    ...places.map(place =>
      make(
        "label",
        {title: place ? "another level" : "the answer"},
        make("input", {type: "radio", name, value: place, checked: place === 0, onchange: () => store.groupBy(place)}),
        make(
          "span",
          {},
          place
            ? String(Number.parseInt(store.groupings[place].name, 10) || plain(store.groupings[place].name))
            : plain(store.groupings[0].name),
        ),
      ),
    ),
  );
}
