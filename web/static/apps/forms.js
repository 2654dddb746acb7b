// The forms that a run waits for: what is asked, and the way to the page that answers it.

import { make } from "./dom.js";

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
    card.dataset.node = data.node_id;
    card.append(make("h3", "", data.node_title || "A question"), make("p", "text", data.form_content));
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

  /** The form of a node was answered, or nobody did in time. */
  close(nodeId, text) {
    for (const card of this.#cards.values()) {
      if (card.dataset.node !== nodeId || card.dataset.closed) continue;
      card.dataset.closed = "true";
      card.querySelector("a, .note")?.remove();
      card.append(make("p", "note", text));
      return;
    }
  }

  /** The run is over: nothing here can be answered any more. */
  end() {
    for (const card of this.#cards.values()) if (!card.dataset.closed) this.close(card.dataset.node, "No longer asked.");
  }
}
