// The file of corrections, as `audioclust.curation.corrections` reads and writes it: recordings are named by their
// checksums, groups by a few recordings that stand for them, so that it fits another clustering of the recordings, too.
const FORMAT = "audioclust-corrections-2";
const FORMER = "audioclust-corrections-1"; // names by number of the cluster, pairs of paths
const STANDING = 5;
const KINDS = {
  name: ["group"],
  same: ["recordings"],
  different: ["recordings"],
  outside: ["recordings", "group"],
  move: ["recordings", "group"],
  split: ["recordings", "group"],
  several: ["recordings"],
};

const key = ({data}, row) => data.sha256[row] ?? `path:${data.paths[row]}`;

/** The recordings that stand for a group: its medoid and the most typical ones; without those that are spoken about. */
function standing(store, grouping, cluster, without = []) {
  const {sheets, members} = store.groupings[grouping],
    left = new Set(without);
  const items = (sheets.get(cluster) ?? [])
    .filter(([, kind]) => kind === "medoid" || kind === "typical")
    .map(([row]) => row);
  const free = [...new Set([...items, ...(members.get(cluster) ?? [])])].filter(row => !left.has(row));
  return free.slice(0, STANDING);
}

/** What is saved of `marks` (see marks.js), and of corrections about recordings that are not here. */
export function written(store, marks, elsewhere) {
  const recordings = {...elsewhere.recordings};
  const keys = rows =>
    rows.map(row => {
      recordings[key(store, row)] = store.data.paths[row];
      return key(store, row);
    });
  const corrections = marks.map(({kind, rows, cluster, grouping, to, text}) => {
    const level = grouping ? {level: store.groupings[grouping].name} : {};
    if (kind === "name") return {kind, name: text, group: keys(standing(store, grouping, cluster)), cluster, ...level};
    if (!KINDS[kind].includes("group")) return {kind, recordings: keys(rows)};
    return {
      kind,
      recordings: keys(rows),
      group: keys(standing(store, grouping, kind === "move" ? to : cluster, rows)),
      ...level,
    };
  });
  return {format: FORMAT, title: store.data.title, recordings, corrections: [...elsewhere.corrections, ...corrections]};
}

/** The marks of a saved document, and what of it is about other recordings; an error where it is no such document. */
export function read(store, document) {
  if (document?.format === FORMER) return former(store, document);
  if (document?.format !== FORMAT || !Array.isArray(document.corrections))
    throw new Error("this is no file of corrections");
  const row = new Map(store.data.paths.map((_, each) => [key(store, each), each]));
  const paths = new Map(store.data.paths.map((path, each) => [`path:${path}`, each]));
  const rows = keys => keys.map(each => row.get(each) ?? paths.get(each)).filter(each => each !== undefined);
  const marks = [],
    others = [];
  for (const correction of document.corrections) {
    check(correction);
    const mark = placed(store, correction, rows);
    if (mark) marks.push(mark);
    else others.push(correction);
  }
  const mentioned = new Set(others.flatMap(({recordings = [], group = []}) => [...recordings, ...group]));
  const known = Object.entries(document.recordings ?? {}).filter(([each]) => mentioned.has(each));
  return {marks, elsewhere: {corrections: others, recordings: Object.fromEntries(known)}};
}

function check(correction) {
  const texts = value => Array.isArray(value) && value.every(each => typeof each === "string");
  const named = correction?.kind !== "name" || typeof correction.name === "string";
  if (
    !Object.hasOwn(KINDS, correction?.kind) ||
    !named ||
    !KINDS[correction.kind].every(part => texts(correction[part]))
  ) {
    throw new Error("a correction in it is not of a known kind");
  }
}

/** A correction as a mark of the recordings here; null where too few of them are here. */
function placed(store, {kind, recordings = [], group = [], name, level}, rows) {
  const grouping = Math.max(
    0,
    store.groupings.findIndex(each => each.name === level),
  );
  const here = rows(recordings),
    cluster = most(rows(group).map(each => store.groupings[grouping].labels[each]));
  if (kind === "name") return cluster === null ? null : {kind, cluster, grouping, text: name};
  if (!here.length || ((kind === "same" || kind === "different") && here.length < 2)) return null;
  if (!KINDS[kind].includes("group")) return {kind, rows: here};
  if (cluster === null) return null;
  return kind === "move" ? {kind, rows: here, to: cluster, cluster, grouping} : {kind, rows: here, cluster, grouping};
}

/** The value that most of the list have. */
function most(list) {
  const counts = new Map();
  for (const each of list) counts.set(each, (counts.get(each) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
}

function former(store, {names = {}, must_link: same = [], cannot_link: different = []}) {
  const row = new Map(store.data.paths.map((path, each) => [path, each])),
    marks = [],
    others = {corrections: [], recordings: {}};
  for (const [cluster, text] of Object.entries(names)) {
    if (store.groupings[0].members.has(Number(cluster)))
      marks.push({kind: "name", cluster: Number(cluster), grouping: 0, text: String(text)});
  }
  for (const [kind, pairs] of [
    ["same", same],
    ["different", different],
  ]) {
    for (const pair of pairs) {
      const rows = pair.map(path => row.get(path)).filter(each => each !== undefined);
      if (rows.length === 2) marks.push({kind, rows});
      else {
        const recordings = pair.map(path => (row.has(path) ? key(store, row.get(path)) : `path:${path}`));
        others.corrections.push({kind, recordings});
        recordings.forEach((each, place) => {
          others.recordings[each] = pair[place];
        });
      }
    }
  }
  return {marks, elsewhere: others};
}
