// The events as they came, drawn only while somebody looks.

import { make } from "./dom.js";

const MOST = 3000; // events that a page can hold

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
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.#draw();
    });
  }

  #draw() {
    const all = this.#first + this.#lines.length;
    this.count.textContent = all ? `(${all})` : "";
    if (!this.details.open) return;
    while (this.#drawn < all) {
      const [id, text] = this.#lines[Math.max(this.#drawn, this.#first) - this.#first];
      const line = make("li");
      line.append(make("span", "number", id), " ", make("code", "", text));
      this.list.append(line);
      this.#drawn = Math.max(this.#drawn, this.#first) + 1;
      if (this.list.children.length > MOST) this.list.firstChild.remove();
    }
  }
}
