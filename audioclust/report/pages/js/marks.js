// Corrections: what the listener said, in order, so that it can be undone, kept in the browser, saved and read back.
import {read, written} from "./format.js";

const PAIRS = ["same", "different"];
const PLACED = ["outside", "move", "split"];

export class Marks {
  constructor(store, changed) {
    Object.assign(this, {store, changed, list: [], elsewhere: {corrections: [], recordings: {}}, past: []});
    this.key = `audioclust-${store.data.page}`;
    try {
      const kept = JSON.parse(localStorage.getItem(this.key) ?? "null");
      if (kept) this.take(kept);
    } catch {
      /* storage is off, or holds something else */
    }
    this.apply();
  }

  /** Add a mark {kind, rows, ...}; one that says otherwise about the same recordings or group is replaced. */
  add(mark) {
    this.past.push([...this.list]);
    this.list = [...this.list.filter(other => !replaced(other, mark)), mark];
    if (mark.kind === "name" && !mark.text) this.list.pop();
    this.settle();
  }

  remove(mark) {
    this.past.push([...this.list]);
    this.list = this.list.filter(other => other !== mark);
    this.settle();
  }

  undo() {
    const before = this.past.pop();
    if (before) {
      this.list = before;
      this.settle();
    }
    return Boolean(before);
  }

  settle() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.document()));
    } catch {
      /* storage is off */
    }
    this.apply();
    this.changed?.(this.document());
  }

  apply() {
    this.store.given = new Map(
      this.list
        .filter(({kind}) => kind === "name")
        .map(({grouping, cluster, text}) => [`${grouping} ${cluster}`, text]),
    );
    this.store.made = null;
    if (this.store.coloured.name === "group") this.store.coloured = this.store.grouping.column();
    this.store.tell("marks");
  }

  /** Those that are seen on the map. */
  drawn() {
    return this.list.filter(({kind}) => kind !== "name");
  }

  of(row) {
    return this.list.filter(({rows}) => rows?.includes(row));
  }

  /** What is saved: see format.js. */
  document() {
    return written(this.store, this.list, this.elsewhere);
  }

  /** Add what was saved, by this page or another one; return {taken, elsewhere}: how many fit, how many do not. */
  take(document) {
    const {marks, elsewhere} = read(this.store, document);
    for (const mark of marks) this.list = [...this.list.filter(other => !replaced(other, mark)), mark];
    const known = new Set(this.elsewhere.corrections.map(each => JSON.stringify(each)));
    this.elsewhere = {
      corrections: [
        ...this.elsewhere.corrections,
        ...elsewhere.corrections.filter(each => !known.has(JSON.stringify(each))),
      ],
      recordings: {...this.elsewhere.recordings, ...elsewhere.recordings},
    };
    return {taken: marks.length, elsewhere: elsewhere.corrections.length};
  }

  load(document) {
    const before = [...this.list],
      counts = this.take(document);
    this.past.push(before);
    this.settle();
    return counts;
  }
}

function replaced(other, mark) {
  if (mark.kind === "name")
    return other.kind === "name" && other.cluster === mark.cluster && other.grouping === mark.grouping;
  if (other.kind === "name") return false;
  const same = String([...other.rows].sort()) === String([...mark.rows].sort());
  return (
    same &&
    (other.kind === mark.kind || [PAIRS, PLACED].some(kinds => kinds.includes(other.kind) && kinds.includes(mark.kind)))
  );
}
