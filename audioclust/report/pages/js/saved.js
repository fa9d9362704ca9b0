// The list of corrections: undo, save as a file, read a file.
import {count, make, plain} from "./dom.js";

const WORDS = {
  same: "same",
  different: "different",
  outside: "not in its group",
  move: "moved to",
  split: "split off",
  several: "more than one voice",
};

export function saved(store, marks, say) {
  const list = make("ul.marks"),
    none = make(
      "p.facts",
      {},
      "No corrections yet. Choose a recording, or draw a lasso around several, and say what is wrong.",
    );
  const told = make("p.facts", {role: "status"});
  const undo = make(
    "button",
    {type: "button", onclick: () => say(marks.undo() ? "undone" : "nothing to undo")},
    "Undo",
  );
  const save = make("button.strong", {type: "button", onclick: () => download(marks.document())}, "Save as JSON");
  const file = make("input", {
    type: "file",
    accept: ".json,application/json",
    hidden: true,
    tabindex: -1,
    "aria-label": "Corrections file",
    onchange: async () => {
      const [chosen] = file.files;
      file.value = "";
      if (!chosen) return;
      try {
        const {taken, elsewhere} = marks.load(JSON.parse(await chosen.text()));
        told.textContent = `${count(taken, "correction")} read${elsewhere ? `; ${elsewhere} about recordings that are not here, kept for the next saving` : ""}.`;
      } catch (error) {
        told.textContent = `${plain(chosen.name)} cannot be read: ${plain(error.message)}.`;
      }
      say(told.textContent);
    },
  });
  const open = make("button", {type: "button", onclick: () => file.click()}, "Read a file");

  function describe(mark) {
    if (mark.kind === "name") return [make("b", {}, plain(mark.text)), ` is the name of group ${mark.cluster}`];
    const names =
      mark.rows
        .slice(0, 3)
        .map(row => plain(store.names[row]))
        .join(", ") + (mark.rows.length > 3 ? ` and ${mark.rows.length - 3} more` : "");
    return [
      make("b", {}, mark.kind === "move" ? `moved to ${store.groupName(mark.to)}` : WORDS[mark.kind]),
      `: ${names}`,
    ];
  }

  function fill() {
    none.hidden = marks.list.length > 0;
    undo.disabled = !marks.past.length;
    list.replaceChildren(
      ...marks.list
        .map(mark =>
          make(
            "li",
            {},
            make("span", {}, ...describe(mark)),
            make(
              "button.icon",
              {type: "button", "aria-label": "Remove this correction", onclick: () => marks.remove(mark)},
              "×",
            ),
          ),
        )
        .reverse(),
    );
  }
  store.on("marks", fill);
  fill();
  return {
    element: make(
      "div.saved",
      {},
      make("div.bar", {}, undo, save, open, file),
      told,
      none,
      make("div.scroller", {tabindex: 0, role: "group", "aria-label": "List of corrections"}, list),
    ),
    refresh: fill,
  };
}

function download(document_) {
  const address = URL.createObjectURL(new Blob([JSON.stringify(document_, null, 1)], {type: "application/json"}));
  make("a", {href: address, download: "corrections.json"}).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
