// The page that stands alone: its data, sounds and pictures are blocks of text in it; other sounds play from their files.
import {mount} from "./core.js";

const block = name => document.getElementById(name)?.textContent ?? null;

function bytes(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text),
    values = new Uint8Array(letters.length);
  for (let k = 0; k < letters.length; k++) values[k] = letters.charCodeAt(k);
  return values;
}

async function unpacked(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function open() {
  const data = await unpacked(block("data"));
  const link = row =>
    data.base === null ? null : data.base + data.paths[row].split("/").map(encodeURIComponent).join("/");
  globalThis.audioclust = mount(document.getElementById("explorer"), data, {
    sound(row) {
      const text = block(`sound-${row}`),
        url = text === null ? link(row) : null;
      return text !== null ? {bytes: bytes(text), type: "audio/mpeg"} : url ? {url} : null;
    },
    sprite: number => bytes(block(`sprite-${number}`)),
  });
}

open().catch(error => {
  document.getElementById("explorer").textContent =
    `This page cannot be shown: ${error.message}. A newer browser may help.`;
});
