// The chosen recording: its name, spectrogram and player, and what can be said of it.
import {make, plain, tailed} from "./dom.js";
import {drawSpectrogram} from "./spectrogram.js";

export function nowCard(store, player, pictures, actions) {
  const title = make("h2.name", {}, "Choose a recording");
  const hint = make("p", {}, "A click on a point plays it; with the map in focus, the arrow keys and Enter do.");
  const facts = make("div.heading", {}, title, hint);
  const canvas = make("canvas.spectrogram", {width: 400, height: 96});
  const line = make("i.at");
  const picture = make(
    "button.picture",
    {
      type: "button",
      "aria-label": "Play or pause",
      hidden: true,
      onclick: event => {
        const {left, width} = picture.getBoundingClientRect();
        // A click with the mouse goes to that moment; the keyboard plays and pauses.
        if (event.detail && player.element.duration) {
          player.element.currentTime = (player.element.duration * (event.clientX - left)) / width;
          if (player.element.paused) player.toggle();
        } else player.toggle();
      },
    },
    canvas,
    line,
  );
  const part = make("span.part");

  store.on("choose grouping marks", () => {
    const row = store.current;
    if (row === null) return;
    title.replaceChildren(tailed(store.names[row]));
    const {columns, truth, parts} = store.data;
    const label = columns.find(column => column.name === truth);
    const text = label && label.codes && label.codes[row] >= 0 ? label.texts[label.codes[row]] : null;
    facts.replaceChildren(
      title,
      make("b", {}, store.groupOf(row)),
      ...(text ? [make("bdi.label", {}, plain(text))] : []),
      part,
    );
    part.textContent = parts[row] ? `excerpt of ${parts[row]} s` : "";
  });
  store.on("sound", ({detail: {row, bytes}}) => {
    if (row !== store.current) return;
    const thumbnail = pictures.thumbnail(row);
    picture.hidden = !bytes && !thumbnail;
    picture.querySelector("canvas").replaceWith(bytes ? canvas : (thumbnail ?? canvas));
    if (bytes)
      drawSpectrogram(canvas, bytes).catch(() => {
        picture.hidden = true;
      });
  });
  const follow = () => {
    const {currentTime, duration, paused} = player.element;
    line.style.left = `${duration ? (100 * currentTime) / duration : 0}%`;
    if (!paused) requestAnimationFrame(follow);
  };
  for (const name of ["play", "timeupdate", "seeked", "loadedmetadata"]) player.element.addEventListener(name, follow);
  return make(
    "section.now",
    {"aria-label": "Chosen recording"},
    facts,
    picture,
    player.element,
    player.problem,
    actions,
  );
}
