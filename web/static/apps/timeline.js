// What the run did, step by step: each node with its time and its error, those of a round inside their container.

import { cut, make, shown, took } from "./dom.js";

const MOST = 1500; // steps that a page can hold

export class Timeline {
  #steps = new Map(); // by execution id; containers by node id
  #count = 0;
  #isFollowed = false;

  constructor(list, graph) {
    this.list = list;
    this.graph = graph;
    const box = list.parentElement;
    new ResizeObserver(() => {
      // Only what scrolls needs to be reached by the keyboard.
      box.tabIndex = box.scrollHeight > box.clientHeight ? 0 : -1;
      if (this.#isFollowed) box.scrollTop = box.scrollHeight;
    }).observe(list);
    for (const way of ["wheel", "pointerdown", "keydown"]) box.addEventListener(way, () => (this.#isFollowed = false), { passive: true });
  }

  /** In: whether to lead along the run from step to step. */
  reset(isLive) {
    this.#isFollowed = isLive;
    this.#steps.clear();
    this.#count = 0;
    this.list.replaceChildren();
  }

  /** How many steps there were. */
  get length() {
    return this.#count;
  }

  /** A node or a container begins. */
  begin(key, data, container = false) {
    // A node that waited goes on as the same step; a container begins anew in each round of another one.
    if (!container && this.#steps.has(key)) return this.#state(this.#steps.get(key), "running");
    this.#count += 1;
    if (this.#count === MOST + 1) this.list.append(make("li", "more", "More steps follow; the raw events have all."));
    if (this.#count > MOST) return;
    const step = make("li", "step");
    step.dataset.node = data.node_id ?? "";
    const head = make("p", "head");
    head.append(make("span", "mark"), make("span", "name", data.title || data.node_type), make("span", "kind", data.node_type),
      make("span", "time"), make("span", "unseen state"));
    step.append(head);
    if (container) step.append(make("ol", "steps"));
    this.#state(step, "running");
    this.#steps.set(key, step);
    this.#place(step, data);
  }

  /** It ends, or an attempt at it does. */
  end(key, data) {
    if (!this.#steps.has(key)) this.begin(key, data);
    const step = this.#steps.get(key);
    if (!step) return;
    this.#state(step, data.status ?? "succeeded");
    step.querySelector(".time").textContent = took(data.elapsed_time ?? 0);
    if (data.error) this.note(key, data.error, "why");
    for (const part of ["inputs", "outputs"]) if (data[part] && Object.keys(data[part]).length) this.#fold(step, part, data[part]);
  }

  /** A remark under a step. */
  note(key, text, className = "note") {
    const step = this.#steps.get(key);
    if (step) step.insertBefore(make("p", className, text), step.querySelector(":scope > .steps"));
  }

  /** The next round of a container. */
  round(id, number) {
    const list = this.#steps.get(id)?.querySelector(":scope > .steps");
    if (list) this.#round(list, number);
  }

  /** A node waits for a person; of several rounds, each that has not ended. */
  wait(nodeId) {
    for (const step of this.#steps.values()) {
      if (step.dataset.node === nodeId && step.dataset.state === "running") this.#state(step, "paused");
    }
  }

  /** What an agent thought or did; the same key comes again as it goes on. */
  thought(key, title, state, parts, under) {
    let step = this.#steps.get(key);
    if (!step) {
      this.begin(key, { title, node_type: "agent" });
      step = this.#steps.get(key);
      const owner = this.#steps.get(under);
      if (!step) return;
      if (owner) {
        if (!owner.querySelector(":scope > .steps")) owner.append(make("ol", "steps"));
        owner.querySelector(":scope > .steps").append(step);
      }
    }
    this.#state(step, state);
    step.querySelector(".name").textContent = title;
    step.querySelectorAll(":scope > details, :scope > .why").forEach((old) => old.remove());
    for (const [name, value] of Object.entries(parts)) {
      if (name === "error" && value) step.append(make("p", "why", value));
      else if (value && Object.keys(value).length) this.#fold(step, name, value);
    }
  }

  /** Put a step where it belongs: rounds may run side by side, so it may belong before steps that began earlier. */
  #place(step, data) {
    const owner = data.iteration_id || data.loop_id || this.graph.parent(data.node_id);
    const list = this.#steps.get(owner)?.querySelector(":scope > .steps") ?? this.list;
    if (!Number.isInteger(data.iteration_index)) return list.append(step);
    let last = this.#round(list, data.iteration_index + 1);
    while (last.nextElementSibling?.matches(".step")) last = last.nextElementSibling;
    last.after(step);
  }

  /** The heading of a round, in the order of their numbers. */
  #round(list, number) {
    const heads = [...list.querySelectorAll(":scope > .round")];
    const found = heads.find((head) => Number(head.dataset.round) === number);
    if (found) return found;
    const head = make("li", "round", `Round ${number}`);
    head.dataset.round = number;
    list.insertBefore(head, heads.find((other) => Number(other.dataset.round) > number) ?? null);
    return head;
  }

  #state(step, state) {
    step.dataset.state = state;
    step.querySelector(".state").textContent = ` (${state})`;
  }

  #fold(step, name, value) {
    const folded = make("details");
    folded.append(make("summary", "", name), make("pre", "", cut(shown(value))));
    step.insertBefore(folded, step.querySelector(":scope > .steps"));
  }
}
