// The operations of the contract that this page uses. The cookie says who asks; X-CSRF-Token proves that the
// page does.

const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The server said no: `status` (0 when it could not be asked), `code`, `details`, and what to tell. */
export class Refused extends Error {
  constructor(status, body, retryAfter) {
    super([body.message, body.hint].filter(Boolean).join(" ") || `The server answered ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
    this.details = body.details ?? [];
    this.retryAfter = Number(retryAfter) * 1000 || 0;
  }

  /** Whether the same request may succeed later. */
  get isPassing() {
    return PASSING.has(this.status);
  }
}

export class Api {
  constructor(appId, csrf) {
    this.page = `/apps/${encodeURIComponent(appId)}`;
    this.base = `/openapi/v1${this.page}`;
    this.headers = { "X-CSRF-Token": csrf };
  }

  /** Starts a run; its stream. */
  run(body) {
    return this.#ask("/run", { method: "POST", body: JSON.stringify(body), type: "application/json" });
  }

  /** The stream of a run after an event; "0" is before the first. It stays open while the run is paused. */
  events(run, after) {
    const path = `/tasks/${encodeURIComponent(run)}/events?continue_on_pause=true`;
    return this.#ask(path, { extra: { "Last-Event-ID": after } });
  }

  stop(run) {
    return this.#ask(`/tasks/${encodeURIComponent(run)}/stop`, { method: "POST" });
  }

  /** Uploads a file; its record. */
  async upload(file) {
    const body = new FormData();
    body.append("file", file);
    return (await this.#ask("/files/upload", { method: "POST", body })).json();
  }

  async #ask(path, { method = "GET", body, type, extra = {}, isRepeated = false }) {
    const headers = { ...this.headers, ...extra, ...(type ? { "Content-Type": type } : {}) };
    let response;
    try {
      response = await fetch(this.base + path, { method, headers, body, cache: "no-store", redirect: "error" });
    } catch {
      // 503: the same may work when the network is back.
      throw new Refused(503, { message: "The server cannot be reached." });
    }
    if (response.ok) return response;
    const told = await response.json().catch(() => ({}));
    if (told.code === "csrf_failed" && !isRepeated && await this.#renew()) {
      return this.#ask(path, { method, body, type, extra, isRepeated: true });
    }
    throw new Refused(response.status, told, response.headers.get("Retry-After"));
  }

  /** Whoever signed in again in another tab has another token: take it, so that what is filled in here is not lost. */
  async #renew() {
    const answer = await fetch(this.page, { cache: "no-store" }).catch(() => null);
    const fresh = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("try");
    if (fresh) this.headers["X-CSRF-Token"] = fresh.dataset.csrf;
    return Boolean(fresh);
  }
}
