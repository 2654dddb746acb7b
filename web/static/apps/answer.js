// The answer as it is written, and the outputs as they stand at the end.

import { copier, cut, link, make, picture, shown } from "./dom.js";
import { Written } from "./markdown.js";

/** Text that grows. It is drawn once per frame at most, however many pieces arrive. */
export class Answer {
  #cost = 0;
  #isDue = false;

  constructor(element) {
    this.element = element;
    this.text = "";
    this.written = new Written(element);
    element.setAttribute("aria-busy", "true");
  }

  add(piece) {
    this.text += piece;
    this.#later();
  }

  replace(text) {
    this.text = text;
    this.#draw();
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

  /** A long text takes a while to draw: it is drawn less often then, so that the page stays quick. */
  #later() {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => requestAnimationFrame(() => this.#isDue && this.#draw()), 3 * this.#cost);
  }

  #draw() {
    this.#isDue = false;
    const near = innerHeight + scrollY > document.documentElement.scrollHeight - 80;
    const began = performance.now();
    this.written.show(this.text);
    this.#cost = performance.now() - began;
    // Whoever reads along at the bottom stays there.
    if (near && this.element.closest(".talk")) scrollTo(0, document.documentElement.scrollHeight);
  }
}

/** The outputs by name, as a list of terms. */
export function outputs(list, values) {
  list.replaceChildren(...Object.entries(values).map(([name, value]) => {
    const row = make("div"), term = make("dt", "", name), told = make("dd", "text");
    const found = files(value);
    if (found) told.append(...found);
    else if (typeof value === "string") new Written(told).show(cut(value));
    else if (typeof value !== "object") told.textContent = shown(value);
    else told.append(make("pre", "", shown(value)));
    term.append(copier(() => shown(value)) ?? "");
    row.append(term, told);
    return row;
  }));
  for (const told of list.querySelectorAll("dd")) if (told.scrollHeight > told.clientHeight) told.tabIndex = 0;
}

/** Pictures of and links to files, if the value is one or a list of them; else null. */
export function files(value) {
  const list = Array.isArray(value) ? value : [value ?? null];
  if (!list.length || !list.every((item) => item?.dify_model_identity === "__dify__file__")) return null;
  return list.map((item) => {
    const made = make("p"), show = item.type === "image" ? picture : link;
    made.append(show(item.url ?? item.remote_url ?? "", item.filename ?? "file"));
    return made;
  });
}

/** The passages that an answer rests on, each to be opened. */
export function sources(found) {
  const list = make("ol", "sources");
  list.append(...found.map((one) => {
    const item = make("li"), box = make("details");
    box.append(make("summary", "", [one.document_name, one.dataset_name].filter(Boolean).join(" · ") || "Source"),
      make("p", "text", one.content ?? ""));
    item.append(box);
    return item;
  }));
  return [make("p", "label", "Sources"), list];
}
