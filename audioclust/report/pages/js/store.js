// What the page knows of the recordings, and what is chosen, searched and filtered; views listen to its events.
import {plain} from "./dom.js";

export const NO_GROUP = -1;

export class Store extends EventTarget {
  constructor(data) {
    super();
    this.data = data;
    this.n = data.paths.length;
    this.names = data.paths.map(path => path.slice(path.lastIndexOf("/") + 1));
    this.groupings = data.groupings.map(grouping => new Grouping(grouping, this));
    this.given = new Map(); // names that the listener gave: "grouping cluster" -> text
    this.visible = new Uint8Array(this.n).fill(1);
    this.shown = this.n;
    this.current = null; // the chosen recording
    this.picked = []; // several recordings, as by the lasso
    this.grouping = this.groupings[0];
    this.words = "";
    this.hidden = new Set(); // codes of the coloured column that the legend has switched off
    this.range = null; // [low, high] of a coloured column of numbers
    this.unsure = data.confidence
      ? Uint8Array.from(data.confidence, value => (value !== null && value < 0.5 ? 1 : 0))
      : null;
    this.hollow = false; // whether those are drawn hollow
    this.colourBy("group");
  }

  on(names, act) {
    for (const name of names.split(" ")) this.addEventListener(name, act);
  }
  tell(name) {
    this.dispatchEvent(new Event(name));
  }

  /** All that one can colour by or sort by: the group first. */
  columns() {
    const {confidence, columns} = this.data;
    return [this.grouping.column(), ...(confidence ? [{name: "confidence", values: confidence}] : []), ...columns];
  }

  column(name) {
    return this.columns().find(column => column.name === name) ?? this.columns()[0];
  }

  /** The value of a column for a row, as text; "" where it is missing. */
  static text(column, row) {
    if (column.values) return column.values[row] === null ? "" : String(column.values[row]);
    return column.codes[row] < 0 ? "" : column.texts[column.codes[row]];
  }

  colourBy(name) {
    this.coloured = this.column(name);
    this.hidden.clear();
    this.range = null;
    this.filter();
    this.tell("colour");
  }

  groupBy(place) {
    this.grouping = this.groupings[place];
    if (this.coloured.name === "group") this.colourBy("group");
    this.tell("grouping");
  }

  search(words) {
    this.words = words;
    this.filter();
  }

  filter() {
    const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    const {codes, values} = this.coloured,
      {hidden, range} = this,
      missing = codes ? this.coloured.texts.length : null;
    const haystack = words.length ? this.haystack() : null;
    let shown = 0;
    for (let row = 0; row < this.n; row++) {
      let keep = true;
      if (codes && hidden.size) keep = !hidden.has(codes[row] < 0 ? missing : codes[row]);
      if (values && range) keep = values[row] !== null && values[row] >= range[0] && values[row] <= range[1];
      for (let word = 0; keep && word < words.length; word++) keep = haystack[row].includes(words[word]);
      this.visible[row] = keep ? 1 : 0;
      shown += keep;
    }
    this.shown = shown;
    this.tell("filter");
  }

  /** The words of all columns by row, in lower case; made at the first search. */
  haystack() {
    const columns = this.columns();
    const made = this.made?.grouping === this.grouping && this.made.names === this.given.size ? this.made.texts : null;
    if (made) return made;
    const texts = this.data.paths.map((path, row) =>
      [path, ...columns.map(column => Store.text(column, row))].join("\n").toLowerCase(),
    );
    this.made = {grouping: this.grouping, names: this.given.size, texts};
    return texts;
  }

  choose(row, {play = false} = {}) {
    this.current = row;
    this.tell("choose");
    if (play) this.tell("play");
  }

  pick(rows) {
    this.picked = rows;
    this.tell("pick");
  }

  toggle(row) {
    this.pick(this.picked.includes(row) ? this.picked.filter(other => other !== row) : [...this.picked, row]);
  }

  /** The recordings that a correction is about: those picked, else the chosen one. */
  subjects() {
    return this.picked.length ? this.picked : this.current === null ? [] : [this.current];
  }

  rows() {
    return this.picked.length ? this.picked : this.visibleRows();
  }

  visibleRows() {
    const rows = [];
    for (let row = 0; row < this.n; row++) if (this.visible[row]) rows.push(row);
    return rows;
  }

  groupName(cluster, grouping = this.grouping) {
    const given = this.given.get(`${grouping.place} ${cluster}`);
    return given !== undefined ? plain(given) : cluster === NO_GROUP ? "in no group" : `group ${cluster}`;
  }

  groupOf(row) {
    return this.groupName(this.grouping.labels[row]);
  }
}

class Grouping {
  constructor({name, labels, sheets}, store) {
    this.store = store;
    this.place = store.data.groupings.findIndex(grouping => grouping.labels === labels);
    this.name = name;
    this.labels = labels;
    this.sheets = new Map(sheets.map(([cluster, items]) => [cluster, items]));
    const members = new Map();
    labels.forEach((label, row) => {
      members.has(label) ? members.get(label).push(row) : members.set(label, [row]);
    });
    this.clusters = [...members.keys()].sort((a, b) => (a === NO_GROUP) - (b === NO_GROUP) || a - b);
    this.members = members;
    const code = new Map(
      this.clusters.filter(cluster => cluster !== NO_GROUP).map((cluster, place) => [cluster, place]),
    );
    this.codes = labels.map(label => code.get(label) ?? -1);
  }

  column() {
    const texts = this.clusters
      .filter(cluster => cluster !== NO_GROUP)
      .map(cluster => this.store.groupName(cluster, this));
    return {name: "group", codes: this.codes, texts};
  }

  /** The recording that stands for a group: its medoid where that is known. */
  typical(cluster) {
    const items = this.sheets.get(cluster) ?? [];
    return (items.find(([, kind]) => kind === "medoid") ?? items[0])?.[0] ?? this.members.get(cluster)?.[0];
  }
}
