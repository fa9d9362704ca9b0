"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const {recordings, clusters} = data;
const $ = id => document.getElementById(id);
const make = (tag, name, text) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
};
const byCluster = new Map(clusters.map(cluster => [cluster.cluster, cluster]));
for (const cluster of clusters) cluster.rows = [];
recordings.forEach((recording, row) => {
  recording.name = recording.path.split("/").pop();
  byCluster.get(recording.cluster).rows.push(row);
});
const truths = [...new Set(recordings.map(recording => recording.truth).filter(truth => truth !== null))].sort();
const hue = place => `hsl(${(215 + place * 137.508) % 360} ${[62, 45, 75][Math.floor(place / 7) % 3]}% ${[48, 60, 38][Math.floor(place / 3) % 3]}%)`;

// Corrections ---------------------------------------------------------------------------------------------------------
const key = "audioclust-" + data.page;
let marks = {names: {}, must_link: [], cannot_link: []};
try { marks = Object.assign(marks, JSON.parse(localStorage.getItem(key) || "{}")); } catch { /* storage is off */ }
const keep = () => {
  try { localStorage.setItem(key, JSON.stringify(marks)); } catch { /* storage is off */ }
  const pairs = marks.must_link.length + marks.cannot_link.length;
  $("count").textContent = `${Object.keys(marks.names).length} named, ${marks.must_link.length} same, ${marks.cannot_link.length} different`;
  $("pairs").replaceChildren(...["must_link", "cannot_link"].flatMap(kind => marks[kind].map((pair, place) => {
    const item = make("li");
    const drop = make("button", "", "×");
    drop.title = "remove";
    drop.onclick = () => { marks[kind].splice(place, 1); keep(); };
    item.append(make("span", "", pair.map(path => path.split("/").pop()).join(kind === "must_link" ? "  =  " : "  ≠  ")), drop);
    return item;
  })));
  $("pairs").hidden = !pairs;
};
const link = (kind, a, b) => {
  if (a === b) return;
  const pair = [recordings[a].path, recordings[b].path].sort();
  const same = other => other[0] === pair[0] && other[1] === pair[1];
  for (const list of [marks.must_link, marks.cannot_link]) {
    const place = list.findIndex(same);
    if (place >= 0) list.splice(place, 1);
  }
  marks[kind].push(pair);
  keep();
};
const corrections = () => ({format: "audioclust-corrections-1", title: data.title, ...marks});
$("save").onclick = () => {
  const address = URL.createObjectURL(new Blob([JSON.stringify(corrections(), null, 1)], {type: "application/json"}));
  const anchor = make("a");
  anchor.href = address;
  anchor.download = "corrections.json";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
};
const nameOf = cluster => marks.names[cluster] || (cluster === -1 ? "unassigned" : `cluster ${cluster}`);

// Playing -------------------------------------------------------------------------------------------------------------
const player = $("player");
const cards = new Map();   // row -> its card
let current = null, pinned = null;
const source = row => recordings[row].sound
  ? "data:audio/mpeg;base64," + $("sound-" + row).textContent
  : recordings[row].link;
const select = row => {
  for (const element of document.querySelectorAll(".playing")) element.classList.remove("playing");
  current = row;
  const recording = recordings[row];
  cards.get(row)?.classList.add("playing");
  document.querySelector(`.more [data-row="${row}"]`)?.classList.add("playing");
  const now = [make("b", "", recording.name), make("small", "", "  " + [nameOf(recording.cluster), recording.truth, recording.path].filter(Boolean).join(" · "))];
  $("now").replaceChildren(...now);
  draw();
};
const play = row => {
  if (row === current && !player.paused) { player.pause(); return; }
  if (row !== current || player.ended || !player.src) {
    select(row);
    player.src = source(row);
  }
  player.play().catch(error => {
    if (error.name !== "AbortError" && error.name !== "NotAllowedError") $("now").append(make("small", "problem", "  cannot be played"));
  });
};
player.ontimeupdate = () => {
  const bar = cards.get(current)?.querySelector(".play i");
  if (bar && player.duration) bar.style.width = 100 * player.currentTime / player.duration + "%";
};

// Contact sheets ------------------------------------------------------------------------------------------------------
const card = (row, kind) => {
  const recording = recordings[row];
  const box = make("article", "card");
  const button = make("button", "play");
  button.setAttribute("aria-label", "play " + recording.name);
  if (recording.picture) {
    const image = make("img");
    image.src = "data:image/png;base64," + recording.picture;
    image.alt = "";
    image.loading = "lazy";
    button.append(image);
  }
  button.append(make("i"));
  button.onclick = () => play(row);
  const tools = make("div", "tools");
  for (const [sign, title, act] of [
    ["=", "same as the pinned recording or the medoid", () => compare("must_link", row)],
    ["≠", "different from the pinned recording or the medoid", () => compare("cannot_link", row)],
    ["⚲", "pin: compare others with this", () => pin(row)],
  ]) {
    const tool = make("button", "", sign);
    tool.title = title;
    tool.onclick = act;
    tools.append(tool);
  }
  const text = make("div", "text");
  const title = make("div", "title", recording.name);
  title.title = recording.path;
  const meta = make("div", "meta");
  if (recording.truth !== null) {
    const truth = make("span", "truth", recording.truth);
    truth.title = recording.truth;
    meta.append(truth);
  }
  if (recording.seconds !== null) {
    meta.append(make("span", "", (recording.part === null ? "" : `${recording.part.toFixed(1)} of `) + `${recording.seconds.toFixed(1)} s`));
  }
  if (recording.silhouette !== null) {
    const share = make("span", recording.silhouette < 0 ? "low" : "", `sil ${recording.silhouette.toFixed(2).replace("-", "−")}`);
    share.title = "silhouette: 1 deep inside its cluster, 0 between two, below 0 nearer to another";
    meta.append(share);
  }
  text.append(title, meta);
  if (recording.problem) text.append(make("div", "problem", "cannot be read: " + recording.problem));
  box.append(make("span", "kind " + kind, kind), tools, button, text);
  box.dataset.row = row;
  cards.set(row, box);
  return box;
};
const chip = row => {
  const button = make("button", "", recordings[row].name);
  button.dataset.row = row;
  button.title = recordings[row].path;
  button.onclick = () => play(row);
  return button;
};
const section = cluster => {
  const box = make("section");
  box.id = "cluster-" + cluster.cluster;
  const head = make("div", "head");
  const swatch = make("span", "swatch");
  if (cluster.colour) swatch.style.setProperty("--colour", cluster.colour);
  const name = make("input", "name");
  name.value = nameOf(cluster.cluster);
  name.setAttribute("aria-label", "name of the cluster");
  name.onchange = () => {
    const text = name.value.trim();
    delete marks.names[cluster.cluster];
    if (text && text !== nameOf(cluster.cluster)) marks.names[cluster.cluster] = text;
    name.value = nameOf(cluster.cluster);
    keep();
  };
  const known = cluster.rows.map(row => recordings[row].silhouette).filter(value => value !== null);
  const facts = [`${cluster.rows.length} recording${cluster.rows.length === 1 ? "" : "s"}`];
  if (known.length) facts.push(`mean silhouette ${(known.reduce((a, b) => a + b, 0) / known.length).toFixed(2).replace("-", "−")}`);
  const counts = new Map();
  for (const row of cluster.rows) if (recordings[row].truth !== null) counts.set(recordings[row].truth, (counts.get(recordings[row].truth) || 0) + 1);
  const mix = [...counts].sort((a, b) => b[1] - a[1]);
  if (mix.length) facts.push(mix.slice(0, 3).map(([truth, count]) => `${truth} ${count}`).join(", ") + (mix.length > 3 ? `, ${mix.length - 3} more` : ""));
  const only = make("button", "only", "only this");
  only.onclick = () => { $("by-cluster").value = $("by-cluster").value === String(cluster.cluster) ? "" : cluster.cluster; filter(); };
  head.append(swatch, name, make("small", "", facts.join(" · ")), only);
  const others = cluster.rows.filter(row => !cluster.sheet.some(item => item.row === row));
  const more = make("div", "more");
  if (others.length) {
    const all = make("button", "", `+ ${others.length} more`);
    all.onclick = () => {
      if (!more.childElementCount) more.append(...others.map(chip));
      else more.hidden = !more.hidden;
      filter();
    };
    head.append(all);
  }
  if (mix.length) {
    const bar = make("div", "mix");
    for (const [truth, count] of mix.slice(0, 12)) {
      const part = make("i");
      part.style.flex = String(count);
      part.title = `${truth}: ${count}`;
      bar.append(part);
    }
    head.append(bar);
  }
  const sheet = make("div", "sheet");
  sheet.append(...cluster.sheet.map(item => card(item.row, item.kind)));
  box.append(head, sheet, more);
  return box;
};
const medoid = row => {
  const sheet = byCluster.get(recordings[row].cluster).sheet;
  return (sheet.find(item => item.kind === "medoid") || sheet[0])?.row;
};
const compare = (kind, row) => {
  const other = pinned === null || pinned === row ? medoid(row) : pinned;
  if (other !== undefined) link(kind, row, other);
};
const pin = row => {
  for (const element of document.querySelectorAll(".pinned")) element.classList.remove("pinned");
  pinned = pinned === row ? null : row;
  if (pinned !== null) cards.get(row)?.classList.add("pinned");
};

// Filters -------------------------------------------------------------------------------------------------------------
const options = (element, first, pairs) => {
  element.append(new Option(first, ""), ...pairs.map(([value, text]) => new Option(text, value)));
  element.onchange = () => filter();
};
let visible = () => true;
const filter = () => {
  const words = $("search").value.trim().toLowerCase();
  const cluster = $("by-cluster").value, truth = $("by-truth").value;
  visible = row => {
    const recording = recordings[row];
    return (cluster === "" || String(recording.cluster) === cluster) && (truth === "" || recording.truth === truths[truth]) &&
      (words === "" || recording.path.toLowerCase().includes(words));
  };
  for (const element of document.querySelectorAll("#sheets [data-row]")) element.hidden = !visible(Number(element.dataset.row));
  for (const {cluster: number, rows} of clusters) $("cluster-" + number).hidden = !rows.some(visible);
  draw();
};
options($("by-cluster"), "all clusters", clusters.map(({cluster, rows}) => [cluster, `${nameOf(cluster)} (${rows.length})`]));
options($("by-truth"), `all ${data.truth || "label"}s`, truths.map((truth, place) => [place, truth]));
$("by-truth").hidden = !truths.length;
$("search").oninput = () => filter();

// Map -----------------------------------------------------------------------------------------------------------------
const mapped = recordings.some(recording => recording.at);
const canvas = document.querySelector("canvas"), pen = canvas.getContext("2d"), tip = document.querySelector(".tip");
const view = {scale: 1, x: 0, y: 0};
let side = 0, hovered = null;
const noise = getComputedStyle(document.documentElement).getPropertyValue("--noise").trim();
const truthColour = new Map(truths.map((truth, place) => [truth, hue(place)]));
const place = at => [(at[0] * view.scale + view.x) * (side - 32) + 16, (at[1] * view.scale + view.y) * (side - 32) + 16];
const draw = () => {
  if (!mapped || !side) return;
  const byTruth = $("colour-by").value === "truth";
  const radius = Math.max(2, Math.min(5, 90 / Math.sqrt(recordings.length))) * Math.sqrt(view.scale);
  pen.clearRect(0, 0, side, side);
  for (const front of [false, true]) {
    recordings.forEach((recording, row) => {
      if (!recording.at || visible(row) !== front) return;
      const [x, y] = place(recording.at);
      pen.globalAlpha = front ? .82 : .1;
      pen.fillStyle = (byTruth ? truthColour.get(recording.truth) : byCluster.get(recording.cluster).colour) || noise;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.fill();
    });
  }
  pen.globalAlpha = 1;
  pen.lineWidth = 2;
  pen.strokeStyle = getComputedStyle(document.body).color;
  for (const row of [hovered, current]) {
    if (row === null || !recordings[row].at) continue;
    pen.beginPath();
    pen.arc(...place(recordings[row].at), radius + 3.5, 0, 7);
    pen.stroke();
  }
};
const resize = () => {
  side = Math.min(canvas.parentElement.clientWidth, Math.max(260, innerHeight * .6));
  const ratio = devicePixelRatio || 1;
  canvas.width = canvas.height = side * ratio;
  canvas.style.width = canvas.style.height = side + "px";
  canvas.style.marginInline = "auto";
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw();
};
const nearest = event => {
  const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  let best = null, closest = 14 ** 2;
  recordings.forEach((recording, row) => {
    if (!recording.at || !visible(row)) return;
    const [px, py] = place(recording.at), distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < closest) { closest = distance; best = row; }
  });
  return best;
};
if (mapped) {
  let drag = null, moved = false;
  canvas.addEventListener("pointerdown", event => { drag = [event.clientX, event.clientY, view.x, view.y]; moved = false; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", event => {
    if (drag) {
      const dx = event.clientX - drag[0], dy = event.clientY - drag[1];
      moved = moved || Math.hypot(dx, dy) > 4;
      if (moved) { view.x = drag[2] + dx / (side - 32); view.y = drag[3] + dy / (side - 32); draw(); }
      return;
    }
    const row = nearest(event);
    if (row === hovered) return;
    hovered = row;
    tip.hidden = row === null;
    if (row !== null) {
      const recording = recordings[row], [x, y] = place(recording.at);
      tip.textContent = [recording.name, nameOf(recording.cluster), recording.truth].filter(Boolean).join(" · ");
      tip.style.top = (y > side - 50 ? y - 38 : y + 14) + "px";
      tip.style[x > side / 2 ? "right" : "left"] = (x > side / 2 ? canvas.parentElement.clientWidth - x : x) + "px";
      tip.style[x > side / 2 ? "left" : "right"] = "auto";
      tip.style.maxWidth = Math.max(x, canvas.parentElement.clientWidth - x) - 8 + "px";
      if ($("hover").checked && row !== current) play(row);
    }
    draw();
  });
  canvas.addEventListener("pointerup", event => {
    drag = null;
    if (moved) return;
    const row = nearest(event);
    if (row !== null) { play(row); cards.get(row)?.scrollIntoView({block: "center", behavior: "smooth"}); }
  });
  canvas.addEventListener("pointerleave", () => { hovered = null; tip.hidden = true; draw(); });
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left - 16) / (side - 32), y = (event.clientY - box.top - 16) / (side - 32);
    const scale = Math.min(40, Math.max(1, view.scale * Math.exp(-event.deltaY / 400))), ratio = scale / view.scale;
    view.x = x - (x - view.x) * ratio;
    view.y = y - (y - view.y) * ratio;
    view.scale = scale;
    if (scale === 1) view.x = view.y = 0;
    draw();
  }, {passive: false});
  $("whole").onclick = () => { Object.assign(view, {scale: 1, x: 0, y: 0}); draw(); };
  $("colour-by").onchange = draw;
  $("colour-by").parentElement.hidden = !truths.length;
  new ResizeObserver(resize).observe(canvas.parentElement);
} else {
  $("map").hidden = $("map-tools").hidden = true;
}

// Keyboard ------------------------------------------------------------------------------------------------------------
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]), select")) return;
  const listed = [...document.querySelectorAll("#sheets .card")].filter(element => element.offsetParent).map(element => Number(element.dataset.row));
  const at = listed.indexOf(current);
  const step = by => { const row = listed[Math.min(listed.length - 1, Math.max(0, at < 0 ? 0 : at + by))]; go(row); };
  const go = row => { if (row === undefined) return; if (row !== current) play(row); cards.get(row).scrollIntoView({block: "nearest", behavior: "smooth"}); };
  const jump = by => {
    const open = clusters.filter(({cluster}) => !$("cluster-" + cluster).hidden);
    const here = open.findIndex(({cluster}) => current !== null && cluster === recordings[current].cluster);
    const next = open[here < 0 ? 0 : here + by];
    const row = next?.sheet.map(item => item.row).find(visible);
    if (row !== undefined) { go(row); $("cluster-" + next.cluster).scrollIntoView({block: "start", behavior: "smooth"}); }
  };
  const act = {
    " ": () => current === null ? step(0) : play(current),
    ArrowRight: () => step(1), ArrowLeft: () => step(-1), ArrowDown: () => jump(1), ArrowUp: () => jump(-1),
    p: () => current !== null && pin(current),
    s: () => current !== null && compare("must_link", current),
    d: () => current !== null && compare("cannot_link", current),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});

$("sheets").append(...clusters.map(section));
if (!clusters.length) $("sheets").append(make("p", "empty", "No recordings."));
keep();
filter();
