// Runs in the browser.

/**
 * @import { Json } from "./read-traces.js"
 *
 * @typedef {object} Paths The paths of the API that the page calls, relative to the page, as the contract has them:
 *   "api/traces/{trace_id}".
 * @property {string} login
 * @property {string} refresh
 * @property {string} logout
 * @property {string} traces
 * @property {string} trace
 * @property {string} order
 * @property {string} orderEvents
 * @property {string} deadLetters
 *
 * @typedef {object} Session
 * @property {string} accessToken
 * @property {string} refreshToken
 * @property {string} email
 *
 * @typedef {object} Api
 * @property {() => string | undefined} email Who is signed in; undefined for nobody.
 * @property {(email: string, password: string) => Promise<void>} signIn
 * @property {() => Promise<void>} signOut
 * @property {(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Json>} get
 */

const timeoutMs = 30_000;
const storageKey = "rialto.traces.session";
const role = "ADMIN";

/** A call that did not succeed, with what to tell the reader. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where no response came.
   * @param {string} reason Empty where the response has none.
   * @param {string} message
   */
  constructor(status, reason, message) {
    super(message);
    this.status = status;
    this.reason = reason;
  }

  /** Nobody is signed in any more. */
  get isSignedOut() {
    return this.status === 401;
  }
}

/**
 * Creates the page's access to the API. The session is kept until the tab is closed. Its access token is renewed once
 * where it has expired.
 *
 * @param {Paths} paths
 * @param {Pick<Storage, "getItem" | "setItem" | "removeItem">} storage
 * @param {Readonly<Record<string, string>>} headers Those of all that it reads.
 * @returns {Api}
 */
export function createApi(paths, storage, headers) {
  let session = readSession(storage);
  /** @type {{ of: Session, done: Promise<boolean> } | undefined} */
  let renewal;

  return {
    email: () => session?.email,
    async signIn(email, password) {
      const answer = await send("POST", paths.login, { body: { email, password } });
      const opened = sessionOf(answer, email);
      if (answer.user?.role !== role) {
        await end(opened);
        throw new ApiError(403, "", `${email} is a customer's account. Traces are shown to admins only.`);
      }
      keep(opened);
    },
    async signOut() {
      const open = session;
      keep(undefined);
      if (open === undefined) return;
      // A renewal under way has spent the refresh token, and ends the session itself.
      const settled = renewal?.of === open ? await Promise.allSettled([renewal.done]) : [];
      if (settled[0]?.status !== "fulfilled") await end(open);
    },
    async get(path, query, signal) {
      const given = Object.entries(query).filter(([, value]) => value !== "");
      const target = given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
      const used = session;
      try {
        return await send("GET", target, { headers, token: used?.accessToken, signal });
      } catch (error) {
        if (!(error instanceof ApiError) || !error.isSignedOut || !(await renew(used))) throw error;
        return send("GET", target, { headers, token: session?.accessToken, signal });
      }
    },
  };

  /** @param {Session | undefined} next */
  function keep(next) {
    session = next;
    if (next === undefined) storage.removeItem(storageKey);
    else storage.setItem(storageKey, JSON.stringify(next));
  }

  /**
   * Returns false where the session has ended. Calls that used the same one share its renewal.
   *
   * @param {Session | undefined} used
   */
  async function renew(used) {
    if (session === undefined || session !== used) return session !== undefined;
    if (renewal?.of === session) return renewal.done;
    const begun = { of: session, done: spend(session) };
    renewal = begun;
    try {
      return await begun.done;
    } finally {
      if (renewal === begun) renewal = undefined;
    }
  }

  /**
   * Spends the refresh token of a session for one that goes on with it, unless it was left meanwhile: then it is ended.
   *
   * @param {Session} spent
   */
  async function spend(spent) {
    try {
      const renewed = await renewalOf(spent);
      if (session === spent) {
        keep(renewed);
        return true;
      }
      await end(renewed);
    } catch (error) {
      if (!(error instanceof ApiError) || !error.isSignedOut) throw error;
      if (session === spent) keep(undefined);
    }
    return false;
  }

  /** @param {Session} spent */
  async function renewalOf({ refreshToken, email }) {
    return sessionOf(await send("POST", paths.refresh, { body: { refreshToken } }), email);
  }

  /**
   * Ends a session, so that nothing renews it any more. It ends by itself where this does not arrive.
   *
   * @param {Session} open
   */
  async function end(open) {
    try {
      await logOut(open);
    } catch (error) {
      // Its access token has expired. What renews it has not.
      if (error instanceof ApiError && error.isSignedOut)
        await renewalOf(open)
          .then(logOut)
          .catch(() => undefined);
    }
  }

  /** @param {Session} open */
  async function logOut({ accessToken }) {
    await send("POST", paths.logout, { body: {}, token: accessToken });
  }
}

/**
 * @param {"GET" | "POST"} method
 * @param {string} target
 * @param {object} o
 * @param {Readonly<Record<string, string>>} [o.headers]
 * @param {object} [o.body]
 * @param {string | undefined} [o.token]
 * @param {AbortSignal} [o.signal]
 * @returns {Promise<Json>}
 */
async function send(method, target, { headers = {}, body, token, signal }) {
  const timeout = AbortSignal.timeout(timeoutMs);
  const response = await fetch(target, {
    method,
    headers: {
      ...headers,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    credentials: "omit",
    cache: "no-store",
    redirect: "error",
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  }).catch(() => {
    signal?.throwIfAborted();
    throw new ApiError(0, "", "No response. Is the gateway still running?");
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw errorOf(response, answer);
}

/**
 * @param {Response} response
 * @param {Json} error A google.rpc.Status.
 */
function errorOf({ status, headers }, { message = "", details = [] }) {
  const reason = details.find((/** @type {Json} */ detail) => detail.reason !== undefined)?.reason ?? "";
  if (status !== 429) return new ApiError(status, reason, message === "" ? `The gateway answered ${status}.` : message);
  const seconds = Number(headers.get("retry-after"));
  const wait = seconds > 100 ? `${Math.ceil(seconds / 60)} minutes` : `${Math.max(1, seconds)} seconds`;
  return new ApiError(status, reason, `Too many requests. Try again in ${wait}. RIALTO_RATE_LIMIT=0 lifts the limit.`);
}

/**
 * @param {Json} answer
 * @param {string} email
 * @returns {Session}
 */
function sessionOf({ accessToken, refreshToken }, email) {
  return { accessToken, refreshToken, email };
}

/**
 * @param {Pick<Storage, "getItem">} storage
 * @returns {Session | undefined}
 */
function readSession(storage) {
  const kept = storage.getItem(storageKey);
  return kept === null ? undefined : JSON.parse(kept);
}

/**
 * Fills the variables of a path: "api/orders/{id}".
 *
 * @param {string} path
 * @param {string} value
 */
export function pathFor(path, value) {
  return path.replace(/\{[^}]+\}/, () => encodeURIComponent(value));
}
