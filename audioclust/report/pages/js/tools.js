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
  const lasso = make("button", {type: "button", "aria-pressed": "false", title: "draw around recordings to pick them (or hold shift)", onclick: () => {
    map.lassoMode(!map.drawing);
    lasso.setAttribute("aria-pressed", String(map.drawing));
  }}, "Lasso");
  const zooms = [["+", "Zoom in", () => map.zoomBy(1.6)], ["−", "Zoom out", () => map.zoomBy(1 / 1.6)]].map(([sign, label, onclick]) =>
    make("button.icon", {type: "button", "aria-label": label, title: label, onclick}, sign));
  const whole = make("button", {type: "button", onclick: () => map.reset()}, "Whole map");
  const boxes = [
    ...store.unsure ? [check("Confidence", "hollow: confidence below 0.5", on => { map.confidence = on; map.draw(); })] : [],
    check("Play when pointed at", "hearing follows the mouse", on => { map.playOnHover = on; }),
    check("Keys", "letters act while the map has the focus: press ? there", on => { map.letters = on; }, true),
  ];
  map.letters = true;
  return make("div.bar.tools", {role: "group", "aria-label": "Map"},
    ...store.groupings.length > 1 ? [levels(store)] : [], make("label", {}, "Colour ", colour), ...boxes,
    make("span.push"), lasso, ...zooms, whole);
}

function check(text, title, act, on = false) {
  const box = make("input", {type: "checkbox", checked: on, onchange: () => act(box.checked)});
  return make("label", {title}, box, text);
}

/** The levels of the ladder: the same recordings in few or many groups. */
function levels(store) {
  const name = `audioclust-level-${++made}`;
  return make("div.levels", {role: "radiogroup", "aria-label": "Number of groups"}, ...store.groupings.map((grouping, place) =>
    make("label", {}, make("input", {type: "radio", name, value: place, checked: place === 0, onchange: () => store.groupBy(place)}), make("span", {}, plain(grouping.name)))));
}
