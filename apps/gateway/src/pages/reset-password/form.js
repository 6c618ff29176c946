// Runs in the browser, as it stands here, inside the page that page.ts makes.
(() => {
  const timeoutMs = 30_000;
  const lost =
    "This is not the whole link: its last part is missing. Open the link from the mail itself. If it was opened before, open it once more from there.";
  const spent =
    "This link is not good any more: it was used, is too old, or a newer one was sent. Ask for a new one where you sign in, and open the one of the newest mail.";
  const done = "Your password is set. Sign in with it; whoever was signed in with the old one has been signed out.";
  const failed = "This did not work, and it is not your mistake. Try again later.";

  const form = element("form", HTMLFormElement);
  const password = element("password", HTMLInputElement);
  const shown = element("shown", HTMLInputElement);
  const problem = element("problem", HTMLElement);
  const status = element("status", HTMLElement);
  let token = "";
  let isSending = false;

  begin();
  // A link that is opened while the page is there already changes nothing but what stands behind the #.
  addEventListener("hashchange", begin);
  shown.addEventListener("change", () => {
    password.type = shown.checked ? "text" : "password";
  });
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
    form.reset();
    password.type = "password";
    form.hidden = token === "";
    say(token === "" ? { problem: lost } : {});
    if (token !== "") password.focus();
  }

  async function send() {
    isSending = true;
    say({ status: "One moment." });
    const outcome = await call();
    isSending = false;
    say(outcome);
    if (outcome.isOver) {
      token = "";
      form.reset();
      form.hidden = true;
      (outcome.problem === undefined ? status : problem).focus();
      return;
    }
    if (outcome.isInvalid) password.setAttribute("aria-invalid", "true");
    password.focus();
  }

  /**
   * @typedef {object} Outcome
   * @property {string} [problem] What went wrong.
   * @property {string} [status] What went well.
   * @property {boolean} [isInvalid] The password is what has to change.
   * @property {boolean} [isOver] Trying again is of no use.
   */

  /** @returns {Promise<Outcome>} */
  async function call() {
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token, newPassword: password.value }),
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
   * @param {{ details?: { reason?: string, fieldViolations?: { field: string, description: string }[] }[] }} error A
   * google.rpc.Status.
   * @returns {Outcome}
   */
  function outcomeOf(response, { details = [] }) {
    if (details.some(({ reason }) => reason === "RESET_TOKEN_INVALID")) return { problem: spent, isOver: true };
    const violations = details.flatMap(({ fieldViolations = [] }) => fieldViolations);
    const rule = violations.find(({ field }) => field === "new_password" || field === "newPassword");
    // The rule's name stands behind its words, in brackets, for programs.
    if (rule !== undefined)
      return { problem: `The new password ${rule.description.replace(/ \[[^\]]*\]$/, "")}.`, isInvalid: true };
    if (violations.some(({ field }) => field === "token")) return { problem: lost, isOver: true };
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
    password.removeAttribute("aria-invalid");
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
