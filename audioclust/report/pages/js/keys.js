// Keys act only while the map has the focus; letters can be turned off.
import {make} from "./dom.js";

const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const HELP = [
  ["← → ↑ ↓", "next recording in that direction"],
  ["Enter", "play"],
  ["Space", "pause, go on"],
  ["+ − 0", "zoom, whole map"],
  ["s d", "same, different"],
  ["n x v", "not in this group, split off, more than one voice"],
  ["a", "select, or not"],
  ["p", "pin: compare others with it"],
  ["u", "undo"],
  ["Esc", "clear the selection"],
  ["?", "this list"],
];

export function mapKeys(store, map, player, marks, acts, say) {
  const help = make(
    "div.help",
    {hidden: true},
    make("dl", {}, ...HELP.flatMap(([keys, text]) => [make("dt", {}, make("kbd", {}, keys)), make("dd", {}, text)])),
  );
  const hint = make("p.hint", {}, make("kbd", {}, "?"), " keys");
  map.box.append(hint, help);
  const showHelp = () => {
    help.hidden = !help.hidden;
    if (!help.hidden) say(HELP.map(([keys, text]) => `${keys}: ${text}`).join("; "));
  };

  function walk(direction) {
    if (store.current === null || !store.visible[store.current]) {
      const first = store.visible.indexOf(1);
      if (first >= 0) store.choose(first);
      return;
    }
    const next = map.towards(store.current, ...direction);
    if (next !== null) store.choose(next, {play: Boolean(map.playOnHover)});
  }

  const always = {
    Enter: () => {
      if (store.current !== null) store.choose(store.current, {play: true});
    },
    " ": () => player.toggle(),
    Escape: () => {
      help.hidden = true;
      if (store.picked.length) store.pick([]);
    },
  };
  const letters = {
    ...acts,
    "+": () => map.zoomBy(1.6),
    "=": () => map.zoomBy(1.6),
    "-": () => map.zoomBy(1 / 1.6),
    0: () => map.reset(),
    "?": showHelp,
    u: () => say(marks.undo() ? "undone" : "nothing to undo"),
  };
  map.box.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== map.box) return;
    const act = ARROWS[event.key]
      ? () => walk(ARROWS[event.key])
      : (always[event.key] ?? (map.letters ? letters[event.key] : undefined));
    if (act) {
      event.preventDefault();
      act();
    }
  });
}
