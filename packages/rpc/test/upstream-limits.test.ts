import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createUpstream, type HttpRequest, type HttpResponse, reasonOf } from "../src/index.ts";
import { bytesOf, textOf } from "./transports.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A replica that answers calls, or holds them, and begins streams, which go on until the test ends them. */
async function replica(o: { readonly holdsCalls?: boolean } = {}) {
  const held: ServerResponse[] = [];
  const server = createServer((req, res) => {
    const type = req.headers["content-type"] ?? "";
    res.writeHead(200, { "content-type": type });
    if (type !== "application/json") res.write("first");
    else if (o.holdsCalls !== true) return void res.end("{}");
    held.push(res);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, held };
}

function upstreamOf(limits: { callsMax: number; callsWaitingMax: number; streamsMax: number }, ...urls: string[]) {
  const upstream = createUpstream({ kind: "remote", urls, limits, random: () => 0 });
  open.push(() => upstream.close());
  return upstream;
}

const request = (type: string, timeoutMs: number): HttpRequest => ({
  url: "http://upstream/rialto.order.v1.OrderService/GetOrder",
  method: "POST",
  header: new Headers({ "content-type": type, "connect-timeout-ms": `${timeoutMs}` }),
  body: bytesOf("{}"),
});
const reason = (error: unknown) => reasonOf(error) ?? "?";
const well = { breaker: "closed", lastError: undefined };

describe("the channel to a replica", () => {
  const room = { callsMax: 1, callsWaitingMax: 6, streamsMax: 2 };

  it.each(["application/connect+json", "application/grpc-web+proto"])(
    "has room for a call whatever the number of streams by %s, and refuses at once a stream too many",
    async (type) => {
      const only = await replica();
      const upstream = upstreamOf(room, only.url);
      const watch = () => upstream.fetch(request(type, 60_000), { isSafe: false, isStream: true });
      const call = async () => (await upstream.fetch(request("application/json", 5_000), { isSafe: false })).status;

      const streams: HttpResponse[] = [await watch(), await watch()];
      expect(await watch().catch(reason)).toBe("TEMPORARILY_UNAVAILABLE");
      expect([await call(), await call()]).toEqual([200, 200]);

      only.held[0]?.end();
      const [first] = streams;
      expect(first && (await textOf(first))).toBe("first");
      expect(await watch()).toMatchObject({ status: 200 });
      expect(upstream.status()).toEqual([well]);
    },
  );

  it("leads to the next replica where the bulkhead of the first is full", async () => {
    const [a, b, c] = [await replica(), await replica(), await replica()];
    const upstream = upstreamOf({ ...room, streamsMax: 1 }, a.url, b.url, c.url);
    const watch = () => upstream.fetch(request("application/connect+json", 60_000), { isSafe: false });
    // The first two are drawn for each: for the third stream both are full.
    for (let stream = 0; stream < 3; stream += 1) expect(await watch()).toMatchObject({ status: 200 });
    expect([a, b, c].map(({ held }) => held.length)).toEqual([1, 1, 1]);
  });

  it("counts no call that waits for its bulkhead as one without a response", async () => {
    const only = await replica({ holdsCalls: true });
    const upstream = upstreamOf(room, only.url);
    const call = (timeoutMs: number) => upstream.fetch(request("application/json", timeoutMs), { isSafe: false });
    const first = call(60_000);
    const waiting = Array.from({ length: 6 }, () => call(3_000).catch(reason));
    expect(await call(3_000).catch(reason)).toBe("TEMPORARILY_UNAVAILABLE");
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["DEADLINE_PASSED"]));
    only.held[0]?.end("{}");
    expect(await first).toMatchObject({ status: 200 });
    const next = call(5_000);
    await expect.poll(() => only.held.length).toBe(2);
    only.held[1]?.end("{}");
    expect(await next).toMatchObject({ status: 200 });
    expect(upstream.status()).toEqual([well]);
  });

  it("is left when its caller leaves", async () => {
    const only = await replica({ holdsCalls: true });
    const upstream = upstreamOf(room, only.url);
    const leaving = new AbortController();
    const given = { ...request("application/json", 5_000), signal: leaving.signal };
    const first = upstream.fetch(given, { isSafe: false }).catch(reason);
    await expect.poll(() => only.held.length).toBe(1);
    const second = upstream.fetch(request("application/json", 5_000), { isSafe: false });
    leaving.abort();
    await first;
    await expect.poll(() => only.held.length).toBe(2);
    only.held[1]?.end("{}");
    expect(await second).toMatchObject({ status: 200 });
  });
});
