// Thumbnails: pictures of spectrograms, many in one sheet, each sheet read when one of its pictures is looked at.
import {make} from "./dom.js";

export class Pictures {
  constructor(store, source) {
    this.source = source;
    this.sheets = new Map();
    this.form = store.data.thumbnails; // {width, height, across, per_sheet, places: by row, null for row itself, -1 for none}
  }

  /** A canvas with the thumbnail of a recording, filled as soon as its sheet is read; null where there is none. */
  thumbnail(row) {
    if (!this.form) return null;
    const place = this.form.places ? this.form.places[row] : row;
    if (place < 0) return null;
    const {width, height, across, per_sheet: many} = this.form,
      within = place % many;
    const canvas = make("canvas.thumbnail", {width, height});
    this.sheet(Math.floor(place / many))
      .then(image =>
        canvas
          .getContext("2d")
          .drawImage(
            image,
            (within % across) * width,
            Math.floor(within / across) * height,
            width,
            height,
            0,
            0,
            width,
            height,
          ),
      )
      .catch(() => {});
    return canvas;
  }

  sheet(number) {
    if (!this.sheets.has(number)) {
      // After the page has shown what was asked for: reading a sheet takes some milliseconds.
      const later = new Promise(done => {
        setTimeout(done);
      });
      this.sheets.set(
        number,
        later
          .then(() => this.source.sprite(number))
          .then(bytes => createImageBitmap(new Blob([bytes], {type: "image/webp"}))),
      );
    }
    return this.sheets.get(number);
  }
}
