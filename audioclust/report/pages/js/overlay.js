// What stands over the points of the map: names of the groups, the chosen recordings, pending corrections, the lasso.
import {plain} from "./dom.js";

const MOST_NAMES = 60,
  LONGEST = 26;

export function drawOverlay(map) {
  const pen = map.overlay.getContext("2d");
  pen.setTransform(map.ratio, 0, 0, map.ratio, 0, 0);
  pen.clearRect(0, 0, map.width, map.height);
  drawPending(pen, map);
  if (!map.moving || map.store.n < 50_000) drawNames(pen, map);
  drawRings(pen, map);
  if (map.lasso) drawLasso(pen, map);
}

function ring(pen, [x, y], radius, width, colour, dash = []) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.setLineDash(dash);
  pen.lineWidth = width;
  pen.strokeStyle = colour;
  pen.stroke();
  pen.setLineDash([]);
}

function drawRings(pen, map) {
  const {store, ground, radius} = map;
  for (const row of store.picked) ring(pen, map.place(row), radius + 2, 1.5, ground.ink);
  for (const row of [map.hovered, store.current]) {
    if (row === null) continue;
    ring(pen, map.place(row), Math.max(7, radius + 4), 5, ground.paper);
    ring(pen, map.place(row), Math.max(7, radius + 4), 2.5, ground.ink);
  }
}

/** Lines between pairs said to be the same (whole) or different (broken); dashed rings where something else is marked. */
function drawPending(pen, map) {
  for (const {rows, kind} of map.marks.drawn()) {
    if (kind === "same" || kind === "different") {
      pen.beginPath();
      pen.setLineDash(kind === "same" ? [] : [5, 4]);
      pen.lineWidth = 2;
      pen.strokeStyle = map.ground.ink;
      rows.forEach((row, place) => pen[place ? "lineTo" : "moveTo"](...map.place(row)));
      pen.stroke();
      pen.setLineDash([]);
    } else {
      for (const row of rows) ring(pen, map.place(row), map.radius + 3, 1.5, map.ground.ink, [3, 2]);
    }
  }
}

function drawLasso(pen, map) {
  pen.beginPath();
  map.lasso.forEach((point, place) => pen[place ? "lineTo" : "moveTo"](...point));
  pen.closePath();
  pen.lineWidth = 2;
  pen.strokeStyle = map.ground.ink;
  pen.setLineDash([4, 3]);
  pen.stroke();
  pen.setLineDash([]);
  pen.globalAlpha = 0.08;
  pen.fillStyle = map.ground.ink;
  pen.fill();
  pen.globalAlpha = 1;
}

/** Names at the middle of their groups, the largest first; one that would cover another is left out until one zooms in. */
function drawNames(pen, map) {
  const taken = [];
  pen.font = "600 12.5px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  for (const {text, x, y} of middles(map)) {
    const [across, down] = map.transform.apply([x * map.scale + map.left, y * map.scale + map.top]);
    const half = pen.measureText(text).width / 2 + 5;
    if (across < half || down < 10 || across > map.width - half || down > map.height - 10) continue;
    if (taken.some(other => Math.abs(other[0] - across) < other[2] + half && Math.abs(other[1] - down) < 18)) continue;
    taken.push([across, down, half]);
    pen.lineWidth = 4;
    pen.strokeStyle = map.ground.paper;
    pen.strokeText(text, across, down);
    pen.fillStyle = map.ground.ink;
    pen.fillText(text, across, down);
    if (taken.length >= MOST_NAMES) break;
  }
}

/** The names of the groups and the medians of their places, the largest group first. */
function middles(map) {
  const column = map.store.grouping.column();
  if (map.middles?.column === column.codes && map.middles.names === column.texts.join()) return map.middles.list;
  const rows = column.texts.map(() => []);
  column.codes.forEach((code, row) => {
    if (code >= 0) rows[code].push(row);
  });
  const list = rows
    .map((members, code) => {
      const letters = Array.from(plain(column.texts[code]));
      const text =
        letters.length > LONGEST ? letters.slice(0, 12).join("") + "…" + letters.slice(-10).join("") : letters.join("");
      return {text, n: members.length, x: median(members, map.x), y: median(members, map.y)};
    })
    .filter(({n}) => n > (column.texts.length > 100 ? 1 : 0))
    .sort((a, b) => b.n - a.n);
  map.middles = {column: column.codes, names: column.texts.join(), list};
  return list;
}

const median = (rows, values) => Float32Array.from(rows, row => values[row]).sort()[rows.length >> 1];
