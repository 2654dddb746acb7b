// The page of an app: start a run, or open one again, and follow it to its end.

import { Api, Refused } from "./api.js";
import { curl } from "./curl.js";
import { copier, make } from "./dom.js";
import { Unfit, attached, chosen, clear, inputs, named, tell, unchosen } from "./fields.js";
import { follow } from "./follow.js";
import { Forms } from "./forms.js";
import { Graph } from "./graph.js";
import { Written } from "./markdown.js";
import { Raw } from "./raw.js";
import { Runs } from "./runs.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";

const at = (id) => document.getElementById(id);
const page = at("try");
const { app, mode, csrf } = page.dataset;
const api = new Api(app, csrf);
const form = at("ask"), runs = at("run"), stops = at("stop"), problem = at("problem");
const graph = new Graph(page.querySelector("svg"));
const parts = { graph, timeline: new Timeline(at("timeline"), graph), forms: new Forms(at("forms")), raw: new Raw(at("raw")) };
const view = new View(parts, say), past = new Runs(app);
const turns = at("turns");
// On a phone Enter begins a line, and going to a field would bring up the keyboard over the answer.
const isTouched = matchMedia("(pointer: coarse)").matches;
let task = "", conversation = page.dataset.conversation, isRunning = false, isStopping = false, told = "";

function say(state, text) {
  if (state + text === told) return;
  told = state + text;
  at("state").dataset.state = state;
  at("status").textContent = text;
}

function complain(text) {
  problem.hidden = !text;
  problem.textContent = text;
}

/** Follow a run. `first` opens its stream, `again` for one that was begun before; `place` is where its answer goes. */
async function watch(place, first) {
  isRunning = true;
  page.dataset.running = "";
  stops.hidden = false;
  isStopping = false;
  const pressed = runs.matches(":focus");
  runs.disabled = true;
  if (pressed) next(stops);
  view.reset(place, first !== again);
  try {
    for await (const step of follow(mode, first, again, lost)) {
      if (!task) named_by(step.event, place);
      view.apply(step);
      past.tell(view.isOver ? "" : view.state);
    }
  } catch (error) {
    failed(error);
  } finally {
    view.end();
    isRunning = runs.disabled = false;
    delete page.dataset.running;
    if (stops.matches(":focus")) next(runs);
    stops.hidden = true;
    past.tell("");
    if (task) past.refresh();
  }
}

/** Where the keyboard goes on when the button it was on goes away: in a conversation to what is said next. */
function next(button) {
  (turns && !isTouched ? form.elements.namedItem("query") : button).focus();
}

function again(after = "0") {
  return api.events(task, after);
}

function lost(how) {
  if (how === "broken") say("broken", "The connection broke. Trying again…");
  // A stop that did not get through is asked for again.
  else if (isStopping && task) stop();
}

/** The first event names the run: from now on it has an address, and can be stopped. */
function named_by(event, place) {
  task = event.task_id;
  conversation = event.conversation_id ?? conversation;
  if (isStopping) stop();
  const address = `/apps/${app}/runs/${event.workflow_run_id ?? task}`;
  history[location.pathname.includes("/runs/") ? "replaceState" : "pushState"]({}, "", address);
  for (const piece of document.querySelectorAll("[data-with-run]")) piece.hidden = false;
  at("home").removeAttribute("aria-current");
  if (turns) {
    place.dataset.run = event.workflow_run_id ?? task;
    form.elements.namedItem("query").value = "";
    unchosen(form);
    at("query-label").textContent = "Go on";
    at("inputs")?.removeAttribute("open");
    page.querySelector(".chips")?.remove();
  } else runs.textContent = "Run again";
  past.refresh();
}

function failed(error) {
  if (!(error instanceof Refused)) {
    say("failed", "This page could not show the run.");
    throw error;
  }
  if (error.status === 401) return signIn();
  if (task && error.code === "run_not_streamable") return void setTimeout(() => location.reload(), 2000);
  const field = named(form, error.details);
  if (field) tell(field, error.message);
  else complain(error.message);
  say("failed", task ? "This run cannot be followed now." : "Not started.");
}

function signIn() {
  complain("Your sign-in has ended. ");
  const way = make("a", "", "Sign in again");
  way.href = `/signin?next=${encodeURIComponent(location.pathname)}`;
  if (!task) {
    // What is filled in here stays.
    way.target = "_blank";
    way.append(make("span", "unseen", " (opens a new tab)"));
  }
  problem.append(way);
  say("broken", task ? "The run goes on; sign in to see it." : "Not started.");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (isRunning) return;
  isRunning = true;
  clear(form);
  complain("");
  let body;
  try {
    body = await filled((file) => api.upload(file));
  } catch (error) {
    isRunning = false;
    return error instanceof Unfit ? tell(error.field, error.message) : failed(error);
  }
  task = "";
  say("running", "Starting…");
  const place = turns ? turn(body.query, chosen(form)) : page;
  if (!turns) {
    page.querySelector(".streamed").hidden = false;
    page.querySelector(".ended").hidden = true;
  }
  await watch(place, () => api.run(body));
  // What was refused can be mended and sent again.
  if (turns && !task) place.remove();
});

/** What is filled in, as the body of a run. In: `upload(file)`, which answers the record of an uploaded file. */
async function filled(upload) {
  const body = { inputs: await inputs(form, upload) };
  const files = await attached(form, upload);
  if (files.length) body.files = files;
  if (turns) body.query = form.elements.namedItem("query").value;
  if (turns && conversation) body.conversation_id = conversation;
  return body;
}

/** A new turn of a conversation, at its end. */
function turn(query, files) {
  for (const before of turns.children) explained(before);
  const made = at("turn").content.firstElementChild.cloneNode(true);
  made.querySelector(".said").textContent = query;
  made.querySelector(".with").hidden = !files.length;
  made.querySelector(".with").textContent = `With ${files.join(", ")}`;
  turns.append(made);
  made.scrollIntoView({ block: "nearest" });
  return made;
}

/** The steps beside a conversation are those of its last turn: a turn before it leads to its own. */
function explained(turn) {
  if (!turn.dataset.run || turn.querySelector(".fine")) return;
  const told = make("p", "fine"), way = make("a", "", "How it came about");
  way.href = `/apps/${app}/runs/${turn.dataset.run}`;
  told.append(way);
  turn.append(told);
}

stops.addEventListener("click", () => {
  if (isStopping) return;
  isStopping = true;
  // Said before it is asked: the run may have ended by the time that the answer is here.
  say("running", "Stopping…");
  if (task) stop();
});

/** Ask for the end of the run. Pressed before the run had a name, this waits for it. */
async function stop() {
  try {
    await api.stop(task);
    complain("");
  } catch (error) {
    isStopping = error.isPassing;
    complain(isStopping ? `${error.message} The run is stopped when it can be.` : error.message);
  }
}

form.addEventListener("keydown", (event) => {
  const sends = event.key === "Enter" && !event.isComposing &&
    (event.ctrlKey || event.metaKey || (event.target.name === "query" && !event.shiftKey && !isTouched));
  if (!sends || event.target.tagName !== "TEXTAREA") return;
  event.preventDefault();
  form.requestSubmit();
});

for (const chip of page.querySelectorAll("[data-say]")) {
  chip.addEventListener("click", () => {
    const query = form.elements.namedItem("query");
    query.value = chip.dataset.say;
    query.focus();
  });
}

// The opening words may name inputs: they follow what is filled in.
const opening = at("opening"), words = opening?.textContent ?? "", greeting = opening && new Written(opening);
function fill() {
  greeting?.show(words.replace(/\{\{\s*([^{}\s]+)\s*\}\}/g, (_, name) =>
    form.querySelector(`[data-input="${CSS.escape(name)}"]`)?.value || "…"));
}
if (words.includes("{{")) form.addEventListener("input", fill);
fill();

if (at("curl")) form.addEventListener("input", curl(at("curl"), `${location.origin}${api.base}/run`, () =>
  filled((file) => ({ id: `<id of ${file.name}, uploaded>` }))));

// The turns before this one came with the page, as text.
for (const answer of turns?.querySelectorAll(".answer") ?? []) {
  const text = answer.textContent;
  new Written(answer).show(text);
  answer.parentElement.querySelector(".made").append((text && copier(() => text)) || "");
}

// The address of a run is made without loading a page; going back must load one.
addEventListener("popstate", () => location.reload());

runs.disabled = page.dataset.runnable !== "true";
if (page.dataset.run) {
  task = page.dataset.run;
  const place = turns ? turns.querySelector(`[data-run="${CSS.escape(task)}"]`) ?? page : page;
  watch(place, again);
}
