// Runs in the browser, as it stands here, inside the page that page.ts makes.
(() => {
  const timeoutMs = 30_000;
  const lost =
    "This is not the whole link: its last part is missing. Open the link from the mail itself. If it was opened before, open it once more from there.";
  const over =
    "This link is not good any more: it is too old, a newer one was sent, or your account is to have another address. Ask for a new one where you sign in, and open the one of the newest mail.";
  const taken = "Another account has this address by now. Sign in and give your account another one.";
  const done = "Your address is confirmed. You can close this page.";
  const failed = "This did not work, and it is not your mistake. Try again later.";

  const form = element("form", HTMLFormElement);
  const button = element("confirm", HTMLButtonElement);
  const problem = element("problem", HTMLElement);
  const status = element("status", HTMLElement);
  let token = "";
  let isSending = false;

  begin();
  // A link that is opened while the page is there already changes nothing but what stands behind the #.
  addEventListener("hashchange", begin);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!isSending) void send();
  });

  /** Takes the token out of the address, where it would stay in the history and could be read over a shoulder. */
  function begin() {
    const given = location.hash.slice(1);
    if (given === "" && token !== "") return;
    token = given;
    history.replaceState(null, "", location.pathname + location.search);
    form.hidden = token === "";
    say(token === "" ? { problem: lost } : {});
    if (token !== "") button.focus();
  }

  async function send() {
    isSending = true;
    const sent = token;
    say({ status: "One moment." });
    const outcome = await call(sent);
    isSending = false;
    // Another link was opened meanwhile: this answer is not about it.
    if (sent !== token) return;
    say(outcome);
    if (!outcome.isOver) return;
    token = "";
    form.hidden = true;
    (outcome.problem === undefined ? status : problem).focus();
  }

  /**
   * @typedef {object} Outcome
   * @property {string} [problem] What went wrong.
   * @property {string} [status] What went well.
   * @property {boolean} [isOver] Trying again is of no use.
   */

  /**
   * @param {string} sent
   * @returns {Promise<Outcome>}
   */
  async function call(sent) {
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token: sent }),
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (response.ok) return { status: done, isOver: true };
      return outcomeOf(response, await response.json().catch(() => ({})));
    } catch {
      return { problem: "No answer came. Look at your connection and try again." };
    }
  }

  /**
   * @param {Response} response
   * @param {{ details?: { reason?: string, fieldViolations?: { field: string }[] }[] }} error A google.rpc.Status.
   * @returns {Outcome}
   */
  function outcomeOf(response, { details = [] }) {
    const has = (/** @type {string} */ wanted) => details.some(({ reason }) => reason === wanted);
    if (has("CONFIRMATION_TOKEN_INVALID")) return { problem: over, isOver: true };
    if (has("EMAIL_TAKEN")) return { problem: taken, isOver: true };
    if (details.some(({ fieldViolations = [] }) => fieldViolations.some(({ field }) => field === "token")))
      return { problem: lost, isOver: true };
    const wait = waitText(Number(response.headers.get("retry-after")));
    if (response.status === 429) return { problem: `Too many tries. Try again ${wait}.` };
    if (response.status === 503) return { problem: `This cannot be done right now. Try again ${wait}.` };
    return { problem: failed };
  }

  /** @param {number} seconds */
  function waitText(seconds) {
    if (!(seconds > 1)) return "in a moment";
    return seconds < 100 ? `in ${seconds} seconds` : `in ${Math.ceil(seconds / 60)} minutes`;
  }

  /** @param {Outcome} outcome */
  function say(outcome) {
    problem.textContent = outcome.problem ?? "";
    status.textContent = outcome.status ?? "";
  }

  /**
   * @template {HTMLElement} T
   * @param {string} id
   * @param {new () => T} kind
   */
  function element(id, kind) {
    const found = document.getElementById(id);
    if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
    return found;
  }
})();
