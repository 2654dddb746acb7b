// A run's events from the first to the last, over as many connections as it takes.

import { Refused } from "./api.js";
import { frames } from "./frames.js";

const LONGEST_WAIT = 5000;
const LOST = new Set(["invalid_token", "not_found", "access_mode_denied", "service_api_disabled"]);
const PLAIN_CHATS = new Set(["chat", "agent-chat", "completion"]);

/** Whether an event ends its run. */
export function isLast(event, mode) {
  return event.event === "workflow_finished" || event.event === "error" ||
    (event.event === "message_end" && PLAIN_CHATS.has(mode));
}

/**
 * Yields {id, event, text}. In: `first`, which opens the stream; `again(id)`, which opens it right after the
 * event with that id; `tell("live" | "broken")`. Throws Refused when the server says no, and when the first
 * connection broke before it named the run.
 */
export async function* follow(mode, first, again, tell) {
  let id = "", wait = 1000, failures = 0, open = first, paused = false;
  for (;;) {
    try {
      const response = await open();
      tell("live");
      if (response.status === 204) return;
      for await (const frame of frames(response)) {
        if (frame.retry !== undefined) wait = frame.retry;
        if (frame.data === undefined) continue;
        const event = JSON.parse(frame.data);
        // Told of this reader, not of the run: it goes on.
        if (event.event === "error" && LOST.has(event.code)) throw new Refused(event.status, event);
        failures = 0;
        id = frame.id || id;
        paused = event.event === "workflow_paused";
        yield { id, event, text: frame.data };
        if (isLast(event, mode)) return;
      }
    } catch (error) {
      if (error instanceof Refused && (open === first || !error.isPassing)) throw error;
      wait = Math.max(wait, error.retryAfter ?? 0);
    }
    if (id === "") throw new Refused(0, { message: "The connection broke before the run was confirmed." });
    // A stream may end with the pause of its run: the next one waits for the answer.
    if (!paused || failures) {
      tell("broken");
      await rest(Math.min(wait * 2 ** failures, LONGEST_WAIT));
    }
    failures += 1;
    const from = id;
    open = () => again(from);
  }
}

/** Waits, but no longer than until the network is back. */
function rest(milliseconds) {
  return new Promise((done) => {
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
    function end() {
      clearTimeout(timer);
      removeEventListener("online", end);
      done();
    }
  });
}
