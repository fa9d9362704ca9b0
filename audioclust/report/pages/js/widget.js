// The explorer in JupyterLab, as anywidget runs it: sound and pictures come through the kernel, corrections go there.
import {mount} from "./core.js";

export default {
  render({model, el}) {
    const waiting = new Map();
    const answered = ({id, type}, buffers) => {
      const settle = waiting.get(id);
      if (!settle) return; // asked by another view of this model
      waiting.delete(id);
      const [view] = buffers ?? [];
      settle(view ? {bytes: new Uint8Array(view.buffer, view.byteOffset, view.byteLength), type} : null);
    };
    model.on("msg:custom", answered);
    const ask = (want, number) =>
      new Promise(settle => {
        const id = `${Math.random()}`;
        waiting.set(id, settle);
        model.send({id, want, number});
      });

    const box = document.createElement("div");
    box.style.height = `${model.get("height")}px`;
    const theme = () => {
      box.dataset.theme = document.body.dataset.jpThemeLight === "false" ? "dark" : "light";
    };
    theme();
    const watch = new MutationObserver(theme);
    watch.observe(document.body, {attributes: true, attributeFilter: ["data-jp-theme-light"]});
    el.append(box);

    const changed = document_ => {
      model.set("corrections", document_);
      model.save_changes();
    };
    const explorer = mount(box, model.get("data"), {
      sound: row => ask("sound", row),
      sprite: number => ask("sprite", number).then(sheet => sheet?.bytes),
      changed,
    });
    const given = model.get("corrections");
    if (given?.corrections?.length) explorer.load(given);
    else if (explorer.corrections()) changed(explorer.corrections()); // what this browser has kept
    return () => {
      watch.disconnect();
      model.off("msg:custom", answered);
      explorer.destroy();
    };
  },
};
