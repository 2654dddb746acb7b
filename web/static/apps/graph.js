// The picture of the graph, coloured by what happens. The server drew it.

const MARKS = { succeeded: "✓", failed: "✕", exception: "!", stopped: "■", paused: "Ⅱ", running: "", retry: "↻" };

export class Graph {
  #nodes = new Map();
  #arrows = [];

  /** In: the SVG element, or null for an app without a graph. */
  constructor(svg) {
    for (const node of svg?.querySelectorAll("[data-node]") ?? []) this.#nodes.set(node.dataset.node, node);
    for (const arrow of svg?.querySelectorAll("[data-from]") ?? []) this.#arrows.push(arrow);
  }

  reset() {
    for (const node of this.#nodes.values()) this.#colour(node, "");
    for (const arrow of this.#arrows) arrow.removeAttribute("data-taken");
  }

  set(id, state) {
    const node = this.#nodes.get(id);
    if (!node) return;
    this.#colour(node, state);
    if (state !== "running") return;
    for (const arrow of this.#arrows) {
      const from = this.#nodes.get(arrow.dataset.from)?.dataset.state;
      if (arrow.dataset.to === id && from && from !== "running") arrow.dataset.taken = "";
    }
  }

  /** The container that a node stands in, or "". */
  parent(id) {
    return this.#nodes.get(id)?.dataset.parent ?? "";
  }

  #colour(node, state) {
    node.dataset.state = state;
    node.querySelector(".mark").textContent = MARKS[state] ?? "";
  }
}
