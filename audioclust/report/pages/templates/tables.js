"use strict";
// Above a long table stands a field that leaves the rows with all the words typed.
for (const table of document.querySelectorAll("table")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 8) continue;
  const texts = rows.map(row => [...row.cells].map(cell => cell.textContent).join(" ").toLowerCase());
  const field = Object.assign(document.createElement("input"), {type: "search", placeholder: "filter"});
  const told = document.createElement("output");
  field.ariaLabel = `filter the rows of: ${table.closest("figure").querySelector("h2").textContent}`;
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    rows.forEach((row, place) => { row.hidden = !words.every(word => texts[place].includes(word)); });
    told.value = field.value.trim() ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
  });
  table.closest("figure").querySelector("figcaption").append(field, told);
}
// A click on a heading sorts by it: numbers from the largest, words from A; missing values stay at the end.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.lastElementChild.cells];
  const body = table.tBodies[0];
  const key = (row, place) => {
    const cell = row.cells[place];
    return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
  };
  const sort = place => {
    const head = heads[place];
    const numeric = head.classList.contains("num");
    const down = head.ariaSort ? head.ariaSort === "ascending" : numeric;
    for (const other of heads) other.ariaSort = null;
    head.ariaSort = down ? "descending" : "ascending";
    const rows = [...body.rows].map(row => [key(row, place), row]);
    const absent = value => value === "" || value === "–" || Number.isNaN(value) || (numeric && typeof value !== "number");
    rows.sort(([a], [b]) => {
      if (absent(a) || absent(b)) return absent(a) - absent(b);
      const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, {numeric: true});
      return down ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
  };
  heads.forEach((head, place) => {
    head.tabIndex = 0;
    head.title = "sort by this column";
    head.addEventListener("click", () => sort(place));
    head.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(place); }
    });
  });
}
