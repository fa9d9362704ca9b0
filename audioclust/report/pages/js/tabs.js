// Pages of the panel, one shown at a time.
import {make, roving} from "./dom.js";

let made = 0;

export function tabs(pages) {
  const names = Object.keys(pages),
    own = ++made,
    id = (what, name) => `audioclust-${what}-${own}-${name.toLowerCase()}`;
  const buttons = names.map(name =>
    make(
      "button",
      {type: "button", role: "tab", id: id("tab", name), "aria-controls": id("page", name), onclick: () => show(name)},
      name,
    ),
  );
  const list = make("div.tabs", {role: "tablist", "aria-label": "What is shown"}, ...buttons);
  const bodies = names.map(name =>
    make("div.page", {role: "tabpanel", id: id("page", name), "aria-labelledby": id("tab", name)}, pages[name].element),
  );
  function show(name) {
    names.forEach((each, place) => {
      buttons[place].setAttribute("aria-selected", String(each === name));
      buttons[place].tabIndex = each === name ? 0 : -1;
      bodies[place].hidden = each !== name;
    });
    pages[name].refresh();
  }
  roving(list, "button");
  list.addEventListener("focusin", event => {
    if (names.includes(event.target.textContent)) show(event.target.textContent);
  });
  show(names[0]);
  return make("div.pages", {}, list, ...bodies);
}
