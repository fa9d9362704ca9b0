// What can be said of the chosen recording, or of all that are picked.
import {count, make, plain, roving, tailed} from "./dom.js";
import {NO_GROUP} from "./store.js";

export function actions(store, marks, say) {
  let pinned = null;
  const reference = () => pinned ?? store.grouping.typical(store.grouping.labels[store.current]);
  const about = make("p.facts.about");

  /** Say that all picked recordings, or the chosen one and the one it is compared with, are the same or different. */
  function compare(kind) {
    const rows = store.picked.length > 1 ? [...store.picked] : [reference(), store.current];
    if (rows.some(row => row === null || row === undefined) || rows[0] === rows[1])
      return say("Pin another recording to compare this one with.");
    if (kind === "different" && rows.length > 2) return say("Select two recordings to say that they are different.");
    add(
      {kind, rows},
      `${kind}: ${rows
        .map(row => store.names[row])
        .slice(0, 3)
        .join(", ")}${rows.length > 3 ? " …" : ""}`,
    );
  }

  function add(mark, text) {
    marks.add(mark);
    say(text);
  }

  function mark(kind, text, more = {}) {
    const rows = store.subjects();
    if (!rows.length) return say("Choose a recording first.");
    const {labels, place} = store.grouping,
      clusters = new Set(rows.map(row => labels[row]));
    // Recordings of several groups that are in the wrong one are told group by group; else the first one's group counts.
    const parts = kind === "outside" ? [...clusters].filter(cluster => cluster !== NO_GROUP) : [labels[rows[0]]];
    if (!parts.length) return say("It is in no group.");
    for (const cluster of parts) {
      const part = kind === "outside" ? rows.filter(row => labels[row] === cluster) : [...rows];
      add({kind, rows: part, cluster, grouping: place, ...more}, `${count(rows.length, "recording")}: ${text}`);
    }
  }

  const acts = {
    s: ["Same", "the same as the recording it is compared with, or as all selected ones", () => compare("same")],
    d: ["Different", "different from the recording it is compared with", () => compare("different")],
    n: ["Not in this group", "does not belong to its group", () => mark("outside", "not in this group")],
    x: [
      "Split off",
      "makes a group of its own, or together with all that are selected",
      () => mark("split", "a group of their own"),
    ],
    v: ["More than one voice", "holds more than one voice or sound", () => mark("several", "more than one voice")],
    a: [
      "Select",
      "adds it to those that are selected, or takes it out",
      () => (store.current === null ? say("Choose a recording first.") : store.toggle(store.current)),
    ],
    p: [
      "Pin",
      "compare others with this recording",
      () => {
        pinned = pinned === store.current ? null : store.current;
        show();
      },
    ],
  };
  const buttons = Object.fromEntries(
    Object.entries(acts).map(([key, [text, title, act]]) => [
      key,
      make("button", {type: "button", title, "aria-keyshortcuts": key, onclick: act}, text),
    ]),
  );
  const move = make("select", {
    "aria-label": "Move to a group",
    onchange: () => {
      const to = Number(move.value);
      if (move.value) mark("move", `moved to ${store.groupName(to)}`, {to});
      move.value = "";
    },
  });
  const bar = make(
    "div.bar.acts",
    {role: "toolbar", "aria-label": "Corrections"},
    buttons.s,
    buttons.d,
    buttons.n,
    buttons.x,
    buttons.v,
    move,
    buttons.a,
    buttons.p,
  );
  const settle = roving(bar, "button");

  function show() {
    const many = store.picked.length,
      other = store.current === null ? null : reference();
    element.hidden = store.current === null && !many;
    buttons.a.setAttribute("aria-pressed", String(store.picked.includes(store.current)));
    buttons.p.setAttribute("aria-pressed", String(pinned !== null && pinned === store.current));
    if (many) {
      about.replaceChildren(
        make("b", {}, `${count(many, "recording")} selected`),
        make("button.link", {type: "button", onclick: () => store.pick([])}, "clear the selection"),
      );
    } else if (other !== null && other !== undefined && other !== store.current) {
      about.replaceChildren(
        make("span", {}, pinned === null ? "compared with its group's medoid" : "compared with the pinned"),
        make(
          "button.link.shrink",
          {type: "button", onclick: () => store.choose(other, {play: true})},
          tailed(store.names[other]),
        ),
      );
    } else about.replaceChildren();
  }

  function fill() {
    move.replaceChildren(
      make("option", {value: ""}, "Move to …"),
      ...store.grouping.clusters
        .filter(cluster => cluster !== NO_GROUP)
        .map(cluster => make("option", {value: cluster}, plain(store.groupName(cluster)))),
    );
  }

  const element = make("div.actions", {hidden: true}, about, bar);
  store.on("choose pick grouping", show);
  store.on("grouping marks", fill);
  fill();
  settle();
  return {element, keys: Object.fromEntries(Object.entries(acts).map(([key, [, , act]]) => [key, act]))};
}
