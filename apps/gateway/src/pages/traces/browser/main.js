// Runs in the browser: the page at /traces.

import { ApiError, createApi } from "./api.js";
import { button, element, elementById } from "./elements.js";
import { findById, listTraces } from "./find-traces.js";
import { createFoundView } from "./found-view.js";
import { traceList } from "./trace-list.js";

/**
 * @import { Paths } from "./api.js"
 * @import { Meanings } from "./causes.js"
 *
 * @typedef {object} PageData What the gateway wrote into the page.
 * @property {Paths} paths
 * @property {string} viewerHeader The header that keeps what the page reads out of the traces.
 * @property {Meanings} meanings
 * @property {readonly string[]} services In a fixed order, so that each has the same color in every view.
 */

/** Colors in the style sheet: `s0` and so on. */
const colors = 8;

/** @type {PageData} */
const { paths, viewerHeader, meanings, services } = JSON.parse(elementById("page-data", HTMLElement).textContent);
const api = createApi(paths, sessionStorage, { [viewerHeader]: "traces" });
const title = document.title;
const view = elementById("view", HTMLElement);
const status = elementById("status", HTMLElement);
const search = elementById("search", HTMLFormElement);
const query = elementById("query", HTMLInputElement);
const account = elementById("account", HTMLElement);
const signIn = elementById("sign-in", HTMLFormElement);
const email = elementById("email", HTMLInputElement);
const password = elementById("password", HTMLInputElement);
const problem = elementById("problem", HTMLElement);
const choice = { onlyFailed: false, onlyOrders: false };
/** Ends what the last view began. */
let shown = new AbortController();
let shownSearch = location.search;

search.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = query.value.trim();
  go(given === "" ? location.pathname : `?q=${encodeURIComponent(given)}`);
});
signIn.addEventListener("submit", (event) => {
  event.preventDefault();
  void submitSignIn();
});
elementById("sign-out", HTMLButtonElement).addEventListener("click", () => {
  // What was asked for may not appear after it.
  shown.abort();
  void api.signOut();
  askToSignIn("");
});
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (link === null || !isPlain || link.pathname !== location.pathname || link.hash !== "") return;
  event.preventDefault();
  go(link.href);
});
addEventListener("popstate", () => {
  // The skip link changes only what follows the #.
  if (location.search !== shownSearch) void show();
});
void show();

/** @param {string} target */
function go(target) {
  history.pushState(null, "", target);
  void show();
}

/** Shows what the address names. */
async function show() {
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  shownSearch = location.search;
  const address = new URLSearchParams(shownSearch);
  const id = (address.get("trace") ?? address.get("q") ?? "").trim();
  query.value = id;
  if (api.email() === undefined) return askToSignIn("");
  showAccount();
  status.textContent = "Reading traces…";
  view.setAttribute("aria-busy", "true");
  try {
    if (id === "") await showList(signal);
    else await showFound(id, address.get("span") ?? "", signal);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError && error.isSignedOut) return askToSignIn("Your session has ended. Sign in again.");
    fail(error instanceof ApiError ? error.message : "The page could not read the answer. Reload it.");
    if (!(error instanceof ApiError)) throw error;
  } finally {
    if (!signal.aborted) view.removeAttribute("aria-busy");
  }
}

/** @param {AbortSignal} signal */
async function showList(signal) {
  const summaries = await listTraces(api, paths, signal);
  signal.throwIfAborted();
  const refresh = button("Refresh", () => void show());
  const heading = element("h1", { tabindex: "-1" }, "Last traces");
  const none = "No trace yet. Place an order, and refresh.";
  const content = summaries.length === 0 ? element("p", { class: "note" }, none) : traceList(summaries, choice);
  present("", [element("div", { class: "heading" }, heading, refresh), content]);
}

/**
 * @param {string} id
 * @param {string} spanId
 * @param {AbortSignal} signal
 */
async function showFound(id, spanId, signal) {
  const found = await findById(api, paths, id, signal);
  signal.throwIfAborted();
  const made = createFoundView(found, { meanings, colorOf, signal });
  present(made.title, made.nodes);
  if (spanId !== "") made.selectSpan(spanId);
}

/** @param {string} message */
function fail(message) {
  present("", [
    element("h1", { tabindex: "-1" }, "This cannot be shown"),
    element("p", { class: "note", role: "alert" }, message),
    button("Try again", () => void show()),
  ]);
}

/**
 * @param {string} name
 * @param {readonly Node[]} nodes
 */
function present(name, nodes) {
  document.title = name === "" ? title : `${name} · ${title}`;
  status.textContent = "";
  view.replaceChildren(...nodes);
  // A reader without sight is told that the view is another one. Whoever types a search goes on from there.
  view.querySelector("h1")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function showAccount() {
  signIn.hidden = true;
  search.hidden = false;
  account.hidden = false;
  elementById("who", HTMLElement).textContent = api.email() ?? "";
}

/** @param {string} reason */
function askToSignIn(reason) {
  view.replaceChildren();
  view.removeAttribute("aria-busy");
  document.title = title;
  status.textContent = "";
  search.hidden = true;
  account.hidden = true;
  signIn.hidden = false;
  problem.textContent = reason;
  (email.value === "" ? email : password).focus();
}

async function submitSignIn() {
  problem.textContent = "";
  status.textContent = "Signing in…";
  try {
    await api.signIn(email.value.trim(), password.value);
    password.value = "";
    await show();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    status.textContent = "";
    problem.textContent = error.message;
    password.focus();
  }
}

/** @param {string} service */
function colorOf(service) {
  const index = services.indexOf(service);
  return `s${index === -1 ? colors - 1 : index % colors}`;
}
