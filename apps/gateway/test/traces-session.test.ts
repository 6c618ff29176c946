import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { createApi } from "../src/pages/traces/browser/api.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Sessions as the user service has them: each token is named by its session and by how often that was renewed. */
async function startSessions() {
  /** How often each open session was renewed. */
  const open = new Map<string, number>();
  const expired = new Set<string>();
  const arrived: string[] = [];
  let beforeRenewal: () => Promise<unknown> = () => Promise.resolve();
  const tokensOf = (session: string) => {
    const token = `${session}.${open.get(session)}`;
    return { accessToken: token, refreshToken: token, user: { role: "ADMIN" } };
  };
  const sessionOf = (token = "") => {
    const [session = "", renewed] = token.split(".");
    return String(open.get(session)) === renewed ? session : undefined;
  };
  const answers: Readonly<Record<string, (token: string, body: string) => unknown>> = {
    "/login": (_, body) => {
      const { email } = JSON.parse(body);
      open.set(email, 0);
      return tokensOf(email);
    },
    "/refresh": async (_, body) => {
      const session = sessionOf(JSON.parse(body).refreshToken);
      if (session === undefined) return undefined;
      open.set(session, (open.get(session) ?? 0) + 1);
      await beforeRenewal();
      return tokensOf(session);
    },
    "/logout": (token) => {
      const session = sessionOf(token);
      return session !== undefined && !expired.has(token) && open.delete(session) ? {} : undefined;
    },
    "/traces": (token) => (sessionOf(token) === undefined || expired.has(token) ? undefined : { seenBy: token }),
  };
  const server = createServer(async (request, response) => {
    const path = request.url ?? "";
    arrived.push(path);
    const token = request.headers.authorization?.replace("Bearer ", "") ?? "";
    const answer = await answers[path]?.(token, await text(request));
    response.writeHead(answer === undefined ? 401 : 200).end(JSON.stringify(answer ?? {}));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // of a server that listens on TCP
  const at = (path: string) => `http://127.0.0.1:${port}/${path}`;
  const unused = { trace: "", order: "", orderEvents: "", deadLetters: "" };
  const paths = { login: at("login"), refresh: at("refresh"), logout: at("logout"), traces: at("traces"), ...unused };
  const stored = new Map<string, string>();
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
    removeItem: (key: string) => void stored.delete(key),
  };
  const api = createApi(paths, storage, {});
  const read = () => api.get(paths.traces, {}, new AbortController().signal);
  return {
    ...{ api, read, open, expired, arrived, stored },
    /** Keeps the answer of a renewal back until the promise is fulfilled. Returns when one has come. */
    holdRenewal(until: Promise<unknown>): Promise<void> {
      return new Promise((resolve) => {
        beforeRenewal = () => {
          resolve();
          return until;
        };
      });
    },
  };
}

describe("the session of the page that shows traces", () => {
  it("is ended by a sign-out after its access token has expired", async () => {
    const { api, open, expired, stored } = await startSessions();
    await api.signIn("ada", "");
    expired.add("ada.0");
    await api.signOut();
    expect([[...open], [...stored], api.email()]).toEqual([[], [], undefined]);
  });

  it("is ended by a sign-out while it is renewed, and does not come back", async () => {
    const { api, read, open, expired, stored, holdRenewal } = await startSessions();
    await api.signIn("ada", "");
    expired.add("ada.0");
    const renewed = Promise.withResolvers<void>();
    const begun = holdRenewal(renewed.promise);
    const answer = read();
    const refused = expect(answer).rejects.toMatchObject({ status: 401 });
    await begun;
    const signedOut = api.signOut();
    renewed.resolve();
    await Promise.all([signedOut, refused]);
    expect([[...open], [...stored], api.email()]).toEqual([[], [], undefined]);
  });

  it("is ended where its renewal is answered after somebody else has signed in", async () => {
    const { api, read, open, expired, holdRenewal } = await startSessions();
    await api.signIn("ada", "");
    expired.add("ada.0");
    const renewed = Promise.withResolvers<void>();
    const begun = holdRenewal(renewed.promise);
    const refused = expect(read()).rejects.toMatchObject({ status: 401 });
    await begun;
    const signedOut = api.signOut();
    await api.signIn("grace", "");
    renewed.resolve();
    await Promise.all([signedOut, refused]);
    expect([[...open.keys()], api.email(), await read()]).toEqual([["grace"], "grace", { seenBy: "grace.0" }]);
  });

  it("is renewed once by calls that find it expired at the same time", async () => {
    const { api, read, expired, arrived } = await startSessions();
    await api.signIn("ada", "");
    expired.add("ada.0");
    expect(await Promise.all([read(), read(), read()])).toEqual(Array(3).fill({ seenBy: "ada.1" }));
    expect(arrived.filter((path) => path === "/refresh")).toHaveLength(1);
  });
});
