// Which colour and shape a value has. All colours have a contrast of 3:1 or more to what they stand on.
import {CROSS, N_SHAPES, packed} from "./splat.js";

const BASE = [
  // lightness, chroma, hue (OKLCH) on a light ground
  [0.52, 0.14, 245],
  [0.6, 0.17, 45],
  [0.5, 0.12, 155],
  [0.46, 0.18, 300],
  [0.58, 0.2, 15],
  [0.58, 0.1, 205],
  [0.44, 0.08, 60],
  [0.6, 0.19, 345],
  [0.55, 0.11, 115],
  [0.38, 0.14, 268],
  [0.38, 0.12, 25],
  [0.36, 0.07, 165],
];
const STEPS = 24;
export const MOST = BASE.length * N_SHAPES; // values with a look of their own

const on = (dark, [light, chroma, hue]) =>
  dark ? `oklch(${1.16 - 0.85 * light} ${chroma * 0.9} ${hue})` : `oklch(${light} ${chroma} ${hue})`;
const grey = dark => (dark ? "oklch(0.66 0.01 260)" : "oklch(0.58 0.01 260)");
export const faint = dark => (dark ? "oklch(0.36 0.01 260)" : "oklch(0.89 0.005 90)");
const categorical = (dark, place) => on(dark, BASE[place % BASE.length]);

/** The colour of a share 0 to 1: from dark and violet to light and orange, or yellow on a dark ground. */
const continuous = (dark, share) =>
  dark
    ? `oklch(${0.6 + 0.3 * share} 0.13 ${290 + 160 * share})`
    : `oklch(${0.36 + 0.26 * share} 0.16 ${290 + 120 * share})`;

/**
 * How the rows of a column are drawn: a code per row, a colour and a shape per code, and the entries of the legend.
 * A column is {name, codes, texts} or {name, values}; missing values are grey crosses.
 */
export function coding(column, dark) {
  const made = column.values ? coded(column.values, dark) : named(column, dark);
  return {...made, column, packed: made.colours.map(packed)};
}

function named({codes, texts}, dark) {
  const counts = new Array(texts.length + 1).fill(0);
  for (const code of codes) counts[code < 0 ? texts.length : code]++;
  // Where there are more values than looks, the most frequent ones get one of their own.
  const ranked = texts.map((_, code) => code).sort((a, b) => counts[b] - counts[a] || a - b);
  const own = texts.length > MOST ? new Set(ranked.slice(0, MOST)) : null;
  const colours = [],
    shapes = [],
    entries = [];
  let place = 0;
  texts.forEach((text, code) => {
    const shown = !own || own.has(code);
    colours.push(shown ? categorical(dark, place) : grey(dark));
    shapes.push(shown ? place % N_SHAPES : CROSS);
    place += shown;
    if (counts[code]) entries.push({code, text, count: counts[code]});
  });
  if (own) entries.sort((a, b) => b.count - a.count);
  colours.push(grey(dark));
  shapes.push(CROSS);
  if (counts[texts.length]) entries.push({code: texts.length, text: null, count: counts[texts.length]});
  return {codes: Uint32Array.from(codes, code => (code < 0 ? texts.length : code)), colours, shapes, entries};
}

function coded(values, dark) {
  let low = Infinity,
    high = -Infinity;
  for (const value of values)
    if (value !== null) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  if (low > high) low = high = 0;
  const colours = Array.from({length: STEPS}, (_, step) => continuous(dark, step / (STEPS - 1)));
  const step = value =>
    value === null ? STEPS : Math.min(STEPS - 1, Math.floor((STEPS * (value - low)) / (high - low || 1)));
  const missing = values.reduce((sum, value) => sum + (value === null), 0);
  return {
    codes: Uint32Array.from(values, step),
    colours: [...colours, grey(dark)],
    shapes: [...colours.map(() => 0), CROSS],
    low,
    high,
    missing,
  };
}
