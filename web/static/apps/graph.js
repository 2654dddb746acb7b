// The picture of the graph, coloured by what happens. The server drew it.

const SMALLEST = 0.75; // of its size; what does not fit even so is scrolled
const MARKS = { succeeded: "✓", failed: "✕", exception: "!", stopped: "■", paused: "Ⅱ", running: "", retry: "↻" };

export class Graph {
  #nodes = new Map();
  #arrows = [];
  #isFollowed = false;

  /** In: the SVG element, or null for an app without a graph. */
  constructor(svg) {
    for (const node of svg?.querySelectorAll("[data-node]") ?? []) this.#nodes.set(node.dataset.node, node);
    for (const arrow of svg?.querySelectorAll("[data-from]") ?? []) this.#arrows.push(arrow);
    if (svg) this.#fit(svg, svg.parentElement);
  }

  /** In: whether to lead along the run from node to node. */
  reset(isLive) {
    for (const node of this.#nodes.values()) this.#colour(node, "");
    for (const arrow of this.#arrows) arrow.removeAttribute("data-taken");
    this.#isFollowed = isLive;
  }

  set(id, state) {
    const node = this.#nodes.get(id);
    if (!node) return;
    this.#colour(node, state);
    if (state !== "running") return;
    if (this.#isFollowed) this.#reveal(node);
    for (const arrow of this.#arrows) {
      const from = this.#nodes.get(arrow.dataset.from)?.dataset.state;
      if (arrow.dataset.to === id && from && from !== "running") arrow.dataset.taken = "";
    }
  }

  /** The container that a node stands in, or "". */
  parent(id) {
    return this.#nodes.get(id)?.dataset.parent ?? "";
  }

  /** As wide as there is room for, and with its beginning in sight. Whoever scrolls it is not led elsewhere. */
  #fit(svg, box) {
    const whole = svg.viewBox.baseVal.width, top = (node) => node.getBoundingClientRect().top;
    let first = [...this.#nodes.values()].reduce((one, other) => (top(other) < top(one) ? other : one));
    new ResizeObserver(() => {
      svg.style.width = `${Math.max(Math.min(whole, box.clientWidth - 8), whole * SMALLEST)}px`;
      if (first) this.#reveal(first);
      first = null;
    }).observe(box);
    for (const way of ["wheel", "pointerdown", "keydown"]) box.addEventListener(way, () => (this.#isFollowed = false), { passive: true });
  }

  /** Scroll the picture, and nothing else, to a node that is out of sight. */
  #reveal(node) {
    const box = node.ownerSVGElement.parentElement, at = node.getBoundingClientRect(), room = box.getBoundingClientRect();
    if (at.left < room.left || at.right > room.right) box.scrollLeft += (at.left + at.right - room.left - room.right) / 2;
    if (at.top < room.top || at.bottom > room.bottom) box.scrollTop += (at.top + at.bottom - room.top - room.bottom) / 2;
  }

  #colour(node, state) {
    node.dataset.state = state;
    node.querySelector(".mark").textContent = MARKS[state] ?? "";
  }
}
