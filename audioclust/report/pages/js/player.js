// One native <audio> that plays the chosen recording, or several one after the other; missing sound is said.
import {make, plain} from "./dom.js";

export class Player {
  constructor(store, source, say) {
    Object.assign(this, {store, source, say, row: null, queue: [], address: null});
    this.element = make("audio", {controls: true, preload: "metadata", "aria-label": "Player"});
    this.problem = make("p.problem", {hidden: true});
    this.element.addEventListener("ended", () => this.next());
    this.element.addEventListener("error", () => {
      if (this.element.src) this.missing();
    });
    store.on("choose", () => this.load(store.current));
    store.on("play", () => this.play());
  }

  /** Get the sound of a recording ready; play() waits for it. */
  load(row) {
    if (row === this.row || row === null) return this.ready;
    if (row !== this.expected) this.line([]);
    this.row = row;
    this.problem.hidden = true;
    this.element.pause();
    this.ready = this.fetch(row);
    return this.ready;
  }

  async fetch(row) {
    const told = this.store.data.problems[row];
    let sound = null;
    try {
      sound = told ? null : await this.source.sound(row);
    } catch {
      sound = null;
    }
    if (row !== this.row) return null;
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = sound?.bytes
      ? URL.createObjectURL(new Blob([sound.bytes], {type: sound.type ?? "audio/mpeg"}))
      : null;
    const address = this.address ?? sound?.url;
    if (address) this.element.src = address;
    else {
      this.element.removeAttribute("src");
      this.missing(told);
    }
    this.store.dispatchEvent(new CustomEvent("sound", {detail: {row, bytes: sound?.bytes ?? null}}));
    return sound;
  }

  async play() {
    if (this.started === this.row && !this.element.paused) {
      this.element.pause();
      return;
    }
    const row = this.row,
      sound = await this.ready;
    if (row !== this.row || !sound) return;
    this.started = row;
    try {
      await this.element.play();
    } catch (error) {
      if (error.name === "NotAllowedError") this.say("The browser wants a click before it plays.");
    }
  }

  toggle() {
    if (this.row !== null) this.play();
  }

  playAll(rows) {
    this.row = null;
    this.line([...rows]);
    this.next();
  }

  next() {
    if (!this.queue.length) return;
    this.expected = this.queue[0];
    this.line(this.queue.slice(1));
    this.store.choose(this.expected, {play: true});
  }

  line(rows) {
    this.queue = rows;
    this.store.tell("queue");
  }

  stop() {
    this.line([]);
    this.element.pause();
  }

  missing(told) {
    const why = told
      ? `This recording could not be read: ${told}.`
      : `The sound of this recording is not in the page, and its file does not play from where it was: ${this.store.data.paths[this.row]}.`;
    this.problem.textContent = plain(why);
    this.problem.hidden = false;
    this.say(this.problem.textContent);
    this.next();
  }
}
