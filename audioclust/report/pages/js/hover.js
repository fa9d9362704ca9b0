// The card beside the point under the mouse; it stands inside the map whole.
import {make, plain, share, tailed} from "./dom.js";
import {Store} from "./store.js";

const WIDTH = 232,
  HEIGHT = 176,
  AWAY = 14;

export function hoverCard(store, pictures) {
  const element = make("div.hover", {hidden: true, "aria-hidden": "true"});
  const lines = row => {
    const {confidence, columns} = store.data,
      text = [store.groupOf(row)];
    if (confidence && confidence[row] !== null) text.push(`confidence ${share(confidence[row])}`);
    const label = columns.find(column => column.name === store.data.truth);
    if (label) text.push(plain(Store.text(label, row)));
    return text.filter(Boolean);
  };
  return {
    element,
    hide() {
      element.hidden = true;
    },
    show(row, x, y, width, height) {
      const picture = pictures.thumbnail(row);
      element.replaceChildren(
        ...(picture ? [picture] : []),
        tailed(store.names[row]),
        ...lines(row).map(line => make("div", {}, line)),
      );
      element.hidden = false;
      const left = x + AWAY + WIDTH > width ? x - AWAY - WIDTH : x + AWAY;
      const top = y + AWAY + HEIGHT > height ? y - AWAY - element.offsetHeight : y + AWAY;
      element.style.left = `${Math.max(4, Math.min(width - WIDTH - 4, left))}px`;
      element.style.top = `${Math.max(4, Math.min(height - element.offsetHeight - 4, top))}px`;
    },
  };
}
