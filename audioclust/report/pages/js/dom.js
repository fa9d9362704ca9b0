// Elements made without markup, so that text from the data stays text.

/** make("button.quiet", {type: "button", onclick: act}, "text", child): functions become listeners. */
export function make(description, properties = {}, ...children) {
  const [tag, ...classes] = description.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

/** Text with characters that would change the line or the direction of what stands around it made visible. */
export const plain = text =>
  String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");

const TAIL = 11;

/** A name in one line that, where it is too long, loses its middle and not its end, which often tells names apart. */
export function tailed(name, properties = {}) {
  const letters = Array.from(plain(name));
  const tail = letters.length > TAIL ? letters.splice(-TAIL).join("") : "";
  const box = make("bdi.tailed", {title: plain(name), ...properties}, make("span", {}, letters.join("")));
  if (tail) box.append(make("span", {}, tail));
  return box;
}

export const number = (value, digits = 2) =>
  value === null || value === undefined || Number.isNaN(value)
    ? "–"
    : (Number.isInteger(value) ? String(value) : value.toFixed(digits)).replace("-", "−");

/** A value from -1 to 1 with two digits, so that many below each other can be compared. */
export const share = value => (value === null || value === undefined ? "–" : value.toFixed(2).replace("-", "−"));

export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** One tab stop for a row or list of controls: arrows move between them, Home and End go to its ends. */
export function roving(box, selector) {
  const all = () => [...box.querySelectorAll(selector)].filter(element => !element.disabled);
  const only = chosen => {
    for (const element of all()) element.tabIndex = element === chosen ? 0 : -1;
  };
  box.addEventListener("focusin", event => {
    if (event.target.matches(selector)) only(event.target);
  });
  box.addEventListener("keydown", event => {
    const elements = all(),
      at = elements.indexOf(document.activeElement);
    if (at < 0) return;
    const to = {
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      Home: 0,
      End: elements.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    elements[Math.max(0, Math.min(elements.length - 1, to))].focus();
  });
  return () => {
    const elements = all();
    only(elements[0]);
  };
}
