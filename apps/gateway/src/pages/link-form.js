// Runs in the browser, unchanged, before the script of the page that includes it (link-page.ts).

/**
 * @typedef {object} Outcome
 * @property {string} [problem] The error to show.
 * @property {string} [status] The success to show.
 * @property {boolean} [isInvalid] The entered value has to change.
 * @property {boolean} [isFinal] Trying again cannot help.
 */

/**
 * The details of a google.rpc.Status.
 *
 * @typedef {{ reason?: string, fieldViolations?: { field: string, description: string }[] }[]} ErrorDetails
 */

/**
 * Runs the form of a page that a link in an e-mail opens: removes the token from the address bar, sends it when the
 * form is submitted, and shows the outcome.
 *
 * @param {object} page
 * @param {HTMLElement} page.control The element that gets the focus.
 * @param {string} page.done The text of a success.
 * @param {() => object} page.fields Returns the fields that are sent beside the token.
 * @param {() => void} page.reset Clears entered values.
 * @param {(details: ErrorDetails) => Outcome | undefined} page.outcomeOf Returns the outcome of an error that only this
 *   page has.
 */
// biome-ignore lint/correctness/noUnusedVariables: the scripts of the pages call it.
function runLinkForm({ control, done, fields, reset, outcomeOf }) {
  const timeoutMs = 30_000;
  const incomplete =
    "This link is incomplete: its last part is missing. Open the link from the e-mail itself. If you opened it before, open it again from there.";
  const failed = "Something went wrong on our side. Try again later.";

  const form = pageElement("form", HTMLFormElement);
  const problem = pageElement("problem", HTMLElement);
  const status = pageElement("status", HTMLElement);
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
    reset();
    form.hidden = token === "";
    say(token === "" ? { problem: incomplete } : {});
    if (token !== "") control.focus();
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
    if (outcome.isFinal) {
      token = "";
      reset();
      form.hidden = true;
      (outcome.problem === undefined ? status : problem).focus();
      return;
    }
    if (outcome.isInvalid) control.setAttribute("aria-invalid", "true");
    control.focus();
  }

  /**
   * @param {string} sent
   * @returns {Promise<Outcome>}
   */
  async function call(sent) {
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token: sent, ...fields() }),
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (response.ok) return { status: done, isFinal: true };
      return errorOutcome(response, await response.json().catch(() => ({})));
    } catch {
      return { problem: "No response. Check your connection and try again." };
    }
  }

  /**
   * @param {Response} response
   * @param {{ details?: ErrorDetails }} error A google.rpc.Status.
   * @returns {Outcome}
   */
  function errorOutcome(response, { details = [] }) {
    const own = outcomeOf(details);
    if (own !== undefined) return own;
    if (details.some(({ fieldViolations = [] }) => fieldViolations.some(({ field }) => field === "token")))
      return { problem: incomplete, isFinal: true };
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
    control.removeAttribute("aria-invalid");
    problem.textContent = outcome.problem ?? "";
    status.textContent = outcome.status ?? "";
  }
}

/**
 * Returns an element of the page by its id.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 */
function pageElement(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}
