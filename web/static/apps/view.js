// One run as it is seen: each event goes to the part of the page that shows it.

import { Answer, files, outputs, sources } from "./answer.js";
import { copier, link, make, picture, took } from "./dom.js";

const WORDS = {
  succeeded: "Finished", "partial-succeeded": "Finished", failed: "Failed",
  stopped: "Stopped", paused: "Waiting for an answer", running: "Running",
};

export class View {
  /** In: the parts (`timeline`, `graph`, `forms`, `raw`), and `say(state, text)` for the line of the status. */
  constructor(parts, say) {
    Object.assign(this, parts);
    this.say = say;
  }

  /** Begin with a run of which nothing was seen yet; its answer goes into `place`. `isLive`: it begins now. */
  reset(place, isLive) {
    for (const part of [this.timeline, this.graph, this.forms, this.raw]) part.reset(isLive);
    this.place = place;
    this.answer = new Answer(place.querySelector(".answer"));
    place.querySelector(".outputs")?.replaceChildren();
    place.querySelector(".made")?.replaceChildren();
    this.state = "running";
    this.isOver = false;
  }

  apply({ id, event, text }) {
    this.raw.add(id, text);
    const act = this[`on_${event.event}`];
    if (act) act.call(this, event.data ?? event, event);
    if (this.state === "running") this.say("running", `Running${this.timeline.length ? `, step ${this.timeline.length}` : ""}`);
  }

  /** Nothing more comes. */
  end() {
    this.answer.end();
    if (!this.isOver) return;
    this.forms.end();
    const { answer } = this;
    if (answer.text && !this.place.querySelector(".outputs > *")) this.#made(copier(() => answer.text) ?? "");
  }

  on_workflow_started() {
    this.state = "running";
    this.answer.resume();
  }

  on_message({ answer }) {
    this.answer.add(answer);
  }

  on_agent_message({ answer }) {
    this.answer.add(answer);
  }

  on_message_replace({ answer }) {
    this.answer.replace(answer);
  }

  on_text_chunk({ text }) {
    this.answer.add(text);
  }

  on_text_replace({ text }) {
    this.answer.replace(text);
  }

  on_message_end({ metadata }) {
    // A chat flow goes on to workflow_finished, which says more.
    if (this.state === "running") this.#over("succeeded", { total_tokens: metadata?.usage?.total_tokens });
    if (metadata?.retriever_resources?.length) this.#made(...sources(metadata.retriever_resources));
  }

  on_message_file({ url, type, belongs_to }) {
    if (belongs_to === "user") return;
    const made = make("p");
    made.append(type === "image" ? picture(url, "image") : link(url, type));
    this.#made(made);
  }

  on_node_started(data) {
    this.timeline.begin(data.id, data);
    this.graph.set(data.node_id, "running");
  }

  on_node_finished(data) {
    this.timeline.end(data.id, data);
    this.graph.set(data.node_id, data.status);
  }

  on_node_retry(data) {
    this.timeline.note(data.id, `Attempt ${data.retry_index} failed: ${data.error ?? "no reason given"}`, "why");
    this.graph.set(data.node_id, "retry");
  }

  on_iteration_started(data) {
    this.timeline.begin(data.node_id, data, true);
    this.graph.set(data.node_id, "running");
  }

  on_loop_started(data) {
    this.on_iteration_started(data);
    // The first round of a loop is not announced.
    this.timeline.round(data.node_id, 1);
  }

  on_iteration_next(data) {
    this.timeline.round(data.node_id, data.index + 1);
  }

  on_loop_next(data) {
    this.timeline.round(data.node_id, data.index + 1);
  }

  on_iteration_completed(data) {
    this.timeline.end(data.node_id, data);
    this.graph.set(data.node_id, data.status);
  }

  on_loop_completed(data) {
    this.on_iteration_completed(data);
  }

  on_agent_log(data) {
    const state = { start: "running", success: "succeeded", error: "failed" }[data.status];
    const parts = { data: data.data, error: data.error };
    this.timeline.thought(data.id, data.label, state, parts, data.parent_id ?? data.node_execution_id);
  }

  on_agent_thought(data) {
    const { thought, tool, tool_input, observation } = data;
    const title = tool ? `Round ${data.position}: ${tool}` : `Round ${data.position}`;
    const state = tool && !observation ? "running" : "succeeded";
    this.timeline.thought(data.id, title, state, { thought, "tool input": tool_input, observation });
  }

  on_human_input_required(data) {
    this.forms.ask(data);
    this.timeline.wait(data.node_id);
    this.graph.set(data.node_id, "paused");
  }

  on_human_input_form_filled(data) {
    this.forms.close(data.form_id, `Answered: ${data.action_text || data.action_id}`);
  }

  on_human_input_form_timeout(data) {
    this.forms.close(data.form_id, "Nobody answered in time.");
  }

  on_workflow_paused({ reasons }) {
    for (const reason of reasons) if (reason.TYPE === "human_input_required") this.forms.ask(reason);
    this.state = "paused";
    this.answer.end();
    const waits = reasons.find((reason) => reason.message)?.message;
    this.say("paused", waits ? `Paused: ${waits}` : WORDS.paused);
  }

  on_workflow_finished(data) {
    this.#over(data.status, data);
    this.answer.end();
    const list = this.place.querySelector(".outputs");
    if (list) {
      // The text that streamed was the outputs as they came: once is enough.
      const some = Object.keys(data.outputs ?? {}).length > 0;
      this.place.querySelector(".streamed").hidden = some;
      this.place.querySelector(".ended").hidden = !some;
      outputs(list, data.outputs ?? {});
    } else if (!this.answer.text && typeof data.outputs?.answer === "string") this.answer.replace(data.outputs.answer);
    this.#made(...(files(data.files?.filter((file) => !this.#shows(file.url))) ?? []));
  }

  on_error({ message }) {
    this.#over("failed", { error: message });
  }

  #over(state, { elapsed_time: seconds, total_tokens: tokens, error }) {
    this.state = state;
    this.isOver = true;
    const facts = [WORDS[state] ?? state];
    if (seconds !== undefined) facts[0] += ` after ${took(seconds)}`;
    if (state === "partial-succeeded") facts.push("with errors that were handled");
    if (tokens) facts.push(`${tokens} tokens`);
    this.say(state, facts.join(", ") + (error && state !== "stopped" ? `: ${error}` : ""));
  }

  /** Whether the answer or an output has a file already; its link may have been signed at another time. */
  #shows(url) {
    const path = url?.split("?")[0];
    return [...this.place.querySelectorAll(".answer a, .outputs a")].some((link) => link.href.split("?")[0] === path);
  }

  #made(...elements) {
    this.place.querySelector(".made")?.append(...elements);
  }
}
