// The forms that a run waits for: what is asked, and the way to the page that answers it.

import { make } from "./dom.js";
import { Written } from "./markdown.js";

export class Forms {
  #cards = new Map(); // by form id

  constructor(place) {
    this.place = place;
  }

  reset() {
    this.#cards.clear();
    this.place.replaceChildren();
  }

  ask(data) {
    if (this.#cards.has(data.form_id)) return;
    const card = make("section", "form card");
    // Where the form has its fields, the card only says so.
    const content = data.form_content.replace(/\{\{#\$output\.(\w+)#\}\}/g, (_, name) => `[${name.replaceAll("_", " ")}]`);
    const told = make("div");
    new Written(told).show(content);
    card.append(make("h2", "", data.node_title || "A question"), told);
    if (data.form_token) {
      const way = make("a", "main", "Answer the form");
      way.href = `/form/${encodeURIComponent(data.form_token)}`;
      way.target = "_blank";
      way.rel = "noopener";
      way.append(make("span", "unseen", " (opens a new tab)"));
      card.append(way);
    } else {
      card.append(make("p", "note", "It was sent to somebody else, who answers it there."));
    }
    this.#cards.set(data.form_id, card);
    this.place.append(card);
  }

  /** A form was answered, or nobody did in time. */
  close(id, text) {
    const card = this.#cards.get(id);
    if (!card || card.dataset.closed) return;
    card.dataset.closed = "true";
    const way = card.querySelector(":scope > .main, :scope > .note");
    const told = make("p", "note", text);
    told.tabIndex = -1;
    card.append(told);
    if (way?.matches(":focus")) told.focus();
    way?.remove();
  }

  /** The run is over: nothing here can be answered any more. */
  end() {
    for (const id of this.#cards.keys()) this.close(id, "No longer asked.");
  }
}
