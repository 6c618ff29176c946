// Runs in the browser, unchanged, inside the page that page.ts makes.
(() => {
  const timeoutMs = 30_000;
  const lost =
    "This link is incomplete: its last part is missing. Open the link from the e-mail itself. If you opened it before, open it again from there.";
  const invalid =
    "This link is no longer valid: it has expired, was replaced by a newer one, or your account's address was changed. Request a new link on the sign-in page, and open the one in the newest e-mail.";
  const taken = "Another account uses this address now. Sign in and choose another address for your account.";
  const done = "Your address is confirmed. You can close this page.";
  const failed = "Something went wrong on our side. Try again later.";

  const form = element("form", HTMLFormElement);
  const button = element("confirm", HTMLButtonElement);
  const problem = element("problem", HTMLElement);
  const status = element("status", HTMLElement);
  let token = "";
  let isSending = false;

  begin();
  // A link that is opened while the page is shown changes only the part after the #.
  addEventListener("hashchange", begin);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!isSending) void send();
  });

  /** Removes the token from the address bar, where it would stay in the history and be visible to others. */
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
    // Another link was opened meanwhile: this response does not belong to it.
    if (sent !== token) return;
    say(outcome);
    if (!outcome.isFinal) return;
    token = "";
    form.hidden = true;
    (outcome.problem === undefined ? status : problem).focus();
  }

  /**
   * @typedef {object} Outcome
   * @property {string} [problem] The error to show.
   * @property {string} [status] The success to show.
   * @property {boolean} [isFinal] Trying again cannot help.
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
      if (response.ok) return { status: done, isFinal: true };
      return outcomeOf(response, await response.json().catch(() => ({})));
    } catch {
      return { problem: "No response. Check your connection and try again." };
    }
  }

  /**
   * @param {Response} response
   * @param {{ details?: { reason?: string, fieldViolations?: { field: string }[] }[] }} error A google.rpc.Status.
   * @returns {Outcome}
   */
  function outcomeOf(response, { details = [] }) {
    const has = (/** @type {string} */ wanted) => details.some(({ reason }) => reason === wanted);
    if (has("CONFIRMATION_TOKEN_INVALID")) return { problem: invalid, isFinal: true };
    if (has("EMAIL_TAKEN")) return { problem: taken, isFinal: true };
    if (details.some(({ fieldViolations = [] }) => fieldViolations.some(({ field }) => field === "token")))
      return { problem: lost, isFinal: true };
    const wait = waitText(Number(response.headers.get("retry-after")));
    if (response.status === 429) return { problem: `Too many attempts. Try again ${wait}.` };
    if (response.status === 503) return { problem: `This is not possible right now. Try again ${wait}.` };
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
