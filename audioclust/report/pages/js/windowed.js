// Long lists: only what can be seen is in the page.

/**
 * Keep `paint(first, last, before, after)` told which items of a scrolling box are seen; before and after are the
 * heights in pixels of what is left out. Returns {refresh, reveal(place)}.
 */
export function windowed(scroller, {count, height, across = () => 1, header = () => 0}, paint) {
  const EXTRA = 4;
  let last = "";
  const refresh = (force = true) => {
    const columns = Math.max(1, across()),
      rows = Math.ceil(count() / columns);
    const from = Math.max(0, Math.floor((scroller.scrollTop - header()) / height) - EXTRA);
    const to = Math.min(rows, Math.ceil((scroller.scrollTop + scroller.clientHeight) / height) + EXTRA);
    const first = Math.min(from, Math.max(0, rows - 1)),
      key = `${first} ${to} ${columns} ${count()}`;
    if (!force && key === last) return;
    last = key;
    const focused = scroller.contains(document.activeElement) ? document.activeElement.dataset.row : undefined;
    paint(first * columns, Math.min(count(), to * columns), first * height, Math.max(0, rows - to) * height);
    if (focused !== undefined) scroller.querySelector(`[data-row="${focused}"]`)?.focus({preventScroll: true});
  };
  scroller.addEventListener("scroll", () => refresh(false), {passive: true});
  new ResizeObserver(() => refresh(false)).observe(scroller);
  return {
    refresh,
    reveal(place) {
      const top = Math.floor(place / Math.max(1, across())) * height + header();
      if (top < scroller.scrollTop + header()) scroller.scrollTop = top - header();
      else if (top + height > scroller.scrollTop + scroller.clientHeight)
        scroller.scrollTop = top + height - scroller.clientHeight;
      refresh(false);
    },
  };
}

/** Arrow keys, Home and End move over the items of a list of rows, also over those that are not in the page yet. */
export function walkable(box, view, rows, steps) {
  box.addEventListener("keydown", event => {
    const all = rows(),
      at = all.indexOf(Number(event.target.dataset.row));
    const by = {...steps(), Home: -all.length, End: all.length}[event.key];
    if (at < 0 || by === undefined) return;
    event.preventDefault();
    const to = Math.max(0, Math.min(all.length - 1, at + by));
    view.reveal(to);
    box.querySelector(`[data-row="${all[to]}"]`)?.focus({preventScroll: true});
  });
}
