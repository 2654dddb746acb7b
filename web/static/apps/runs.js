// The list of my runs of the app, below the run that is shown.

const WORDS = { running: "Running", paused: "Waiting" };

export class Runs {
  #state = "";

  constructor(app) {
    this.address = `/apps/${app}`;
  }

  /** How the run stands that is shown, so that its row says the same: "running", "paused", or "" once it is over. */
  tell(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#mark();
  }

  /** The list as the server has it now. */
  async refresh() {
    const answer = await fetch(this.address).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("runs");
    if (fresh) document.getElementById("runs").replaceWith(fresh);
    this.#mark();
  }

  #mark() {
    const way = document.querySelector(`#runs a[href="${CSS.escape(location.pathname)}"]`);
    way?.parentElement.setAttribute("aria-current", "true");
    const badge = way?.querySelector(".badge"), words = WORDS[this.#state];
    if (!badge || !words) return;
    badge.dataset.state = this.#state;
    badge.textContent = words;
  }
}
