// Runs in the browser, unchanged, inside the page that page.ts makes.
(() => {
  const timeoutMs = 30_000;
  const lost =
    "This link is incomplete: its last part is missing. Open the link from the e-mail itself. If you opened it before, open it again from there.";
  const invalid =
    "This link is no longer valid: it was used, has expired, or was replaced by a newer one. Request a new link on the sign-in page, and open the one in the newest e-mail.";
  const done = "Your password is set. Sign in with it. All earlier sessions were signed out.";
  const failed = "Something went wrong on our side. Try again later.";

  const form = element("form", HTMLFormElement);
  const password = element("password", HTMLInputElement);
  const shown = element("shown", HTMLInputElement);
  const problem = element("problem", HTMLElement);
  const status = element("status", HTMLElement);
  let token = "";
  let isSending = false;

  begin();
  // A link that is opened while the page is shown changes only the part after the #.
  addEventListener("hashchange", begin);
  shown.addEventListener("change", () => {
    password.type = shown.checked ? "text" : "password";
  });
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
    if (outcome.isFinal) {
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
   * @property {string} [problem] The error to show.
   * @property {string} [status] The success to show.
   * @property {boolean} [isInvalid] The password has to change.
   * @property {boolean} [isFinal] Trying again cannot help.
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
      if (response.ok) return { status: done, isFinal: true };
      return outcomeOf(response, await response.json().catch(() => ({})));
    } catch {
      return { problem: "No response. Check your connection and try again." };
    }
  }

  /**
   * @param {Response} response
   * @param {{ details?: { reason?: string, fieldViolations?: { field: string, description: string }[] }[] }} error A
   * google.rpc.Status.
   * @returns {Outcome}
   */
  function outcomeOf(response, { details = [] }) {
    if (details.some(({ reason }) => reason === "RESET_TOKEN_INVALID")) return { problem: invalid, isFinal: true };
    const violations = details.flatMap(({ fieldViolations = [] }) => fieldViolations);
    const rule = violations.find(({ field }) => field === "new_password" || field === "newPassword");
    // The description ends with the rule's name in brackets, which is for programs.
    if (rule !== undefined)
      return { problem: `The new password ${rule.description.replace(/ \[[^\]]*\]$/, "")}.`, isInvalid: true };
    if (violations.some(({ field }) => field === "token")) return { problem: lost, isFinal: true };
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
