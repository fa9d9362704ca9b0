// The file of corrections, as `audioclust.curation.corrections` reads and writes it.
export const FORMAT = "audioclust-corrections-2";
export function written(store, marks, elsewhere) { return {format: FORMAT, marks, elsewhere}; }
export function read(store, document) { return {marks: document.marks ?? [], elsewhere: document.elsewhere ?? []}; }
