// The events as they came, drawn only while somebody looks.

import { make } from "./dom.js";

const MOST = 3000; // events that a page can hold
const AT_ONCE = 150; // drawn in one frame

export class Raw {
  #lines = [];
  #drawn = 0;
  #first = 0;
  waiting = false;

  constructor(details) {
    this.details = details;
    this.list = details.querySelector("ol");
    this.count = details.querySelector(".count");
    details.addEventListener("toggle", () => this.#draw());
  }

  reset() {
    this.#lines = [];
    this.#drawn = this.#first = 0;
    this.list.replaceChildren();
    this.count.textContent = "";
  }

  add(id, text) {
    this.#lines.push([id, text]);
    if (this.#lines.length > MOST) {
      this.#lines.shift();
      this.#first += 1;
    }
    this.#later();
  }

  #later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.#draw();
    });
  }

  /** Draw some of what is new, and the rest with the next frames: a page of many lines takes a second. */
  #draw() {
    const all = this.#first + this.#lines.length;
    this.count.textContent = all ? `(${all})` : "";
    if (!this.details.open) return;
    const from = Math.max(this.#drawn, this.#first), to = Math.min(from + AT_ONCE, all);
    this.list.append(...this.#lines.slice(from - this.#first, to - this.#first).map(([id, text]) => {
      const line = make("li");
      line.append(make("span", "number", id), " ", make("code", "", text));
      return line;
    }));
    this.#drawn = to;
    while (this.list.children.length > MOST) this.list.firstChild.remove();
    if (to < all) this.#later();
  }
}
