// Runs in the browser. Asks the API for what a search is about.

import { ApiError, pathFor } from "./api.js";
import { readSummary, readTrace } from "./read-traces.js";

/**
 * @import { Api, Paths } from "./api.js"
 * @import { Json, Summary, Trace } from "./read-traces.js"
 *
 * @typedef {object} Found What was found for an id.
 * @property {"order" | "request" | "trace"} kind
 * @property {string} id
 * @property {readonly Trace[]} traces
 * @property {number} left How many more there are, which are older.
 * @property {Json} [order] As it is now, where it could be read.
 * @property {readonly Json[]} events What happened to it.
 * @property {readonly Json[]} letters The dead letters that are about it.
 * @property {readonly string[]} notes What could not be read, and why.
 */

/** Traces of one order or request that are shown together. */
const tracesMax = 20;
/** Traces of the list. */
const listMax = 100;
/** Events of an order, and dead letters, that are looked at: a page of the API. */
const pageMax = "200";

const traceIdForm = /^[0-9a-f]{32}$/;
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const requestIdForm = /^[a-zA-Z0-9_.:-]{1,128}$/;

/**
 * @param {Api} api
 * @param {Paths} paths
 * @param {AbortSignal} signal
 * @returns {Promise<Summary[]>} The newest first.
 */
export async function listTraces(api, paths, signal) {
  const { traces } = await api.get(paths.traces, { pageSize: String(listMax) }, signal);
  return traces.map(readSummary);
}

/**
 * Finds what an id names: an order, a request, or a trace.
 *
 * @param {Api} api
 * @param {Paths} paths
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Found>}
 */
export async function findById(api, paths, id, signal) {
  // A trace and an order are named by lower-case letters only. Of a request, either case is its own.
  const lower = id.toLowerCase();
  if (traceIdForm.test(lower)) return findTrace(api, paths, lower, signal);
  if (!requestIdForm.test(id)) throw new ApiError(400, "", `"${id}" is not the id of an order, a request or a trace.`);
  const isUuid = uuidForm.test(lower);
  const named = async (/** @type {Record<string, string>} */ query) => {
    const { traces } = await api.get(paths.traces, { pageSize: String(listMax), ...query }, signal);
    return traces.map(readSummary);
  };
  const [ofOrder, ofRequest] = await Promise.all([isUuid ? named({ orderId: lower }) : [], named({ requestId: id })]);
  if (isUuid && (ofOrder.length > 0 || ofRequest.length === 0))
    return findOrder(api, paths, { id: lower, summaries: ofOrder }, signal);
  const read = await readAll(api, paths, ofRequest, signal);
  return {
    kind: "request",
    id,
    events: [],
    ...read,
    ...(await lettersOf(api, paths, { traces: read.traces }, signal)),
  };
}

/**
 * @param {Api} api
 * @param {Paths} paths
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Found>}
 */
async function findTrace(api, paths, id, signal) {
  const traces = [readTrace(await api.get(pathFor(paths.trace, id), {}, signal))];
  return { kind: "trace", id, traces, left: 0, events: [], ...(await lettersOf(api, paths, { traces }, signal)) };
}

/**
 * The traces of an order, the order itself, what happened to it, and its dead letters.
 *
 * @param {Api} api
 * @param {Paths} paths
 * @param {{ id: string, summaries: readonly Summary[] }} given
 * @param {AbortSignal} signal
 * @returns {Promise<Found>}
 */
async function findOrder(api, paths, { id, summaries }, signal) {
  const [read, order, history] = await Promise.all([
    readAll(api, paths, summaries, signal),
    attempt("The order", () => api.get(pathFor(paths.order, id), {}, signal)),
    attempt("What happened to it", () => api.get(pathFor(paths.orderEvents, id), { pageSize: pageMax }, signal)),
  ]);
  const { letters, notes } = await lettersOf(api, paths, { id, traces: read.traces }, signal);
  return {
    ...{ kind: "order", id, letters },
    ...read,
    ...(order.answer === undefined ? {} : { order: order.answer }),
    events: history.answer?.events ?? [],
    notes: [...order.notes, ...(order.answer === undefined ? [] : history.notes), ...notes],
  };
}

/**
 * @param {Api} api
 * @param {Paths} paths
 * @param {readonly Summary[]} summaries The newest first.
 * @param {AbortSignal} signal
 */
async function readAll(api, paths, summaries, signal) {
  const newest = summaries.slice(0, tracesMax);
  const read = await Promise.all(
    newest.map(({ traceId }) =>
      api.get(pathFor(paths.trace, traceId), {}, signal).then(readTrace, (error) => {
        // It was there a moment ago, and made room for a newer one.
        if (error instanceof ApiError && error.status === 404) return undefined;
        throw error;
      }),
    ),
  );
  return { traces: read.filter((trace) => trace !== undefined), left: summaries.length - newest.length };
}

/**
 * The dead letters of an order, or of traces in which an event could not be handled.
 *
 * @param {Api} api
 * @param {Paths} paths
 * @param {{ id?: string, traces: readonly Trace[] }} about
 * @param {AbortSignal} signal
 */
async function lettersOf(api, paths, { id, traces }, signal) {
  const hasFailedEvent = traces.some(({ spans }) =>
    spans.some(({ kind, isFailed }) => isFailed && kind === "consumer"),
  );
  // Where the traces are gone, nothing says whether an event failed.
  if (!hasFailedEvent && traces.length > 0) return { letters: [], notes: [] };
  const { answer, notes } = await attempt("Dead letters", () =>
    api.get(paths.deadLetters, { pageSize: pageMax }, signal),
  );
  const all = answer?.deadLetters ?? [];
  const traceIds = new Set(traces.map(({ traceId }) => traceId));
  const letters = all.filter(
    (/** @type {Json} */ letter) =>
      traceIds.has(letter.traceId) || (id !== undefined && [letter.subject, letter.payload?.orderId].includes(id)),
  );
  const silent = answer?.unreachableServices ?? [];
  if (answer?.nextPageToken) notes.push(`Only the first ${pageMax} dead letters were searched.`);
  if (silent.length > 0) notes.push(`Dead letters of ${silent.join(", ")} could not be read.`);
  return { letters, notes };
}

/**
 * Reads what the view can do without.
 *
 * @param {string} what
 * @param {() => Promise<Json>} read
 * @returns {Promise<{ answer: Json | undefined, notes: string[] }>}
 */
async function attempt(what, read) {
  try {
    return { answer: await read(), notes: [] };
  } catch (error) {
    if (!(error instanceof ApiError) || error.isSignedOut) throw error;
    return { answer: undefined, notes: [`${what} could not be read: ${error.message}`] };
  }
}
