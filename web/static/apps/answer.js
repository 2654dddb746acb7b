// The answer as it is written, and the outputs as they stand at the end.

import { link, make, shown } from "./dom.js";

/** Text that grows. It is drawn once per frame, however many pieces arrive. */
export class Answer {
  constructor(element) {
    this.element = element;
    this.text = "";
    this.waiting = "";
    element.setAttribute("aria-busy", "true");
    element.replaceChildren((this.node = document.createTextNode("")));
  }

  add(piece) {
    this.text += piece;
    this.waiting += piece;
    if (this.waiting.length === piece.length) requestAnimationFrame(() => this.#draw());
  }

  replace(text) {
    this.text = text;
    this.waiting = "";
    this.node.data = text;
  }

  /** Nothing more comes, or not soon: readers of the screen may read it out. */
  end() {
    this.#draw();
    this.element.setAttribute("aria-busy", "false");
  }

  /** More comes. */
  resume() {
    this.element.setAttribute("aria-busy", "true");
  }

  #draw() {
    const near = innerHeight + scrollY > document.documentElement.scrollHeight - 80;
    this.node.appendData(this.waiting);
    this.waiting = "";
    // Whoever reads along at the bottom stays there.
    if (near && this.element.closest(".talk")) scrollTo(0, document.documentElement.scrollHeight);
  }
}

/** The outputs by name, as a list of terms. */
export function outputs(list, values) {
  list.replaceChildren(...Object.entries(values).map(([name, value]) => {
    const row = make("div");
    const told = make("dd", "text");
    told.append(...(files(value) ?? [document.createTextNode(shown(value))]));
    row.append(make("dt", "", name), told);
    return row;
  }));
}

/** Links to files, if the value is one or a list of them; else null. */
export function files(value) {
  const list = Array.isArray(value) ? value : [value];
  if (!list.length || !list.every((item) => item?.dify_model_identity === "__dify__file__")) return null;
  return list.map((item) => {
    const made = make("p");
    made.append(link(item.url ?? item.remote_url ?? "", item.filename ?? "file"));
    return made;
  });
}
