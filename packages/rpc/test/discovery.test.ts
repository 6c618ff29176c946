import { createServer, type RequestListener, type ServerResponse } from "node:http";
import * as http2 from "node:http2";
import type { Server } from "node:net";
import * as tls from "node:tls";
import { freePort } from "@rialto/testing";
import { type TestDns, testDns } from "@rialto/testing/dns-server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createUpstream, type HttpRequest, reasonOf, type Upstream } from "../src/index.ts";
import { dnsPollMs, dnsTryMs, replicasMax } from "../src/limits.ts";
import { searchNames } from "../src/upstream/name-lookup.ts";
import { watchName } from "../src/upstream/watch-name.ts";
import { bytesOf, textOf } from "./transports.ts";

const open: (() => Promise<void> | void)[] = [];
let dns: TestDns;
let port: number;
beforeEach(async () => {
  dns = await testDns();
  open.push(dns.close);
  port = await freePort();
});
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const ok: RequestListener = (_req, res) => void res.writeHead(200, { "content-type": "application/json" }).end("{}");

/** All addresses from 127.0.0.1 on are this machine's: a replica at each, on the same port. */
async function listenAt(server: Server, address: string): Promise<void> {
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  open.push(() => void server.close());
}

/** A replica that counts its requests. */
async function replicaAt(address: string, answer: RequestListener = ok) {
  const hosts: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    hosts.push(req.headers.host);
    answer(req, res);
  });
  await listenAt(server, address);
  open.push(() => server.closeAllConnections());
  const stop = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  return { hosts, seen: () => hosts.length, stop };
}

/** The same for gRPC over HTTP/2. */
async function grpcReplicaAt(address: string) {
  let seen = 0;
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream) => {
    seen += 1;
    stream.respond({ "content-type": "application/grpc+proto", "grpc-status": "0" }, { endStream: true });
  });
  await listenAt(server, address);
  open.push(() => {
    for (const session of sessions) session.destroy();
  });
  return { seen: () => seen, sessions };
}

/** Looks names up more often than in production, where a test does not say how often. */
function upstreamOf(name = "order.test", { pollMs = 100 }: { readonly pollMs?: number } = {}): Upstream {
  const upstream = createUpstream({ kind: "remote", urls: [`dns://${dns.address}/${name}:${port}`], pollMs });
  open.push(upstream.close);
  return upstream;
}

const request = (type = "application/json"): HttpRequest => ({
  url: "http://upstream/rialto.order.v1.OrderService/GetOrder",
  method: "POST",
  header: new Headers({ "content-type": type, "connect-timeout-ms": "20000" }),
  body: bytesOf("{}"),
});
const call = (upstream: Upstream, o: { isSafe?: boolean; type?: string } = {}) =>
  upstream.fetch(request(o.type), { isSafe: o.isSafe ?? true, isStream: false }).then(
    async (response) => `${response.status} ${await textOf(response)}`,
    (error: unknown) => reasonOf(error) ?? String(error),
  );
async function callOften(upstream: Upstream, times: number, type?: string): Promise<ReadonlySet<string>> {
  const outcomes = new Set<string>();
  for (let n = 0; n < times; n += 1) outcomes.add(await call(upstream, type === undefined ? {} : { type }));
  return outcomes;
}
const grpc = "application/grpc+proto";
const within = { timeout: 30_000, interval: 20 };

describe("a service by a DNS name", () => {
  it("is called at each of its addresses, and by its name", async () => {
    const [a, b] = [await replicaAt("127.0.0.1"), await replicaAt("127.0.0.2")];
    dns.set("order.test", ["127.0.0.1", "127.0.0.2"]);
    const upstream = upstreamOf();
    expect(await callOften(upstream, 40)).toEqual(new Set(["200 {}"]));
    expect([a.seen() > 5, b.seen() > 5, upstream.status().length]).toEqual([true, true, 2]);
    expect(new Set([...a.hosts, ...b.hosts])).toEqual(new Set([`order.test:${port}`]));
  });

  it("spreads gRPC over its addresses too, whose connections stay open", async () => {
    const [a, b] = [await grpcReplicaAt("127.0.0.1"), await grpcReplicaAt("127.0.0.2")];
    dns.set("order.test", ["127.0.0.1", "127.0.0.2"]);
    expect(await callOften(upstreamOf(), 40, grpc)).toEqual(new Set(["200 "]));
    expect([a.seen() > 5, b.seen() > 5]).toEqual([true, true]);
  });

  it("is called at an address that is added, however long the old answer was to be kept", async () => {
    await replicaAt("127.0.0.1");
    const added = await replicaAt("127.0.0.2");
    dns.set("order.test", ["127.0.0.1"]);
    const upstream = upstreamOf("order.test", { pollMs: dnsPollMs });
    await callOften(upstream, 10);
    expect(added.seen()).toBe(0);
    dns.set("order.test", ["127.0.0.1", "127.0.0.2"]);
    await expect.poll(async () => [await call(upstream), added.seen() > 0], within).toEqual(["200 {}", true]);
    // The longest wait and the slowest answer.
    expect(dnsPollMs + dnsTryMs).toBeLessThan(5_000);
  });

  it("is not called any more at an address that is gone, where a call in progress ends undisturbed", async () => {
    const held: ServerResponse[] = [];
    const leaving = await replicaAt("127.0.0.1", (req, res) => {
      if (held.length === 0) held.push(res);
      else ok(req, res);
    });
    dns.set("order.test", ["127.0.0.1"]);
    const upstream = upstreamOf();
    const inProgress = call(upstream);
    await expect.poll(() => held.length, within).toBe(1);
    const staying = await replicaAt("127.0.0.2");
    dns.set("order.test", ["127.0.0.2"]);
    await expect.poll(async () => [await call(upstream), staying.seen() > 0], within).toEqual(["200 {}", true]);
    const seenBefore = leaving.seen();
    await callOften(upstream, 20);
    expect(leaving.seen()).toBe(seenBefore);
    for (const response of held) response.writeHead(200).end("late");
    expect(await inProgress).toBe("200 late");
  });

  it("keeps no connection to an address that is gone", async () => {
    const leaving = await grpcReplicaAt("127.0.0.1");
    dns.set("order.test", ["127.0.0.1"]);
    const upstream = upstreamOf();
    expect(await call(upstream, { type: grpc })).toBe("200 ");
    const openSessions = () => [...leaving.sessions].filter((session) => !session.destroyed).length;
    expect(openSessions()).toBe(1);
    dns.set("order.test", ["127.0.0.2"]);
    await expect.poll(openSessions, within).toBe(0);
  });

  it("is looked up again when a connection fails, so that calls find its new address", async () => {
    const leaving = await replicaAt("127.0.0.1");
    await replicaAt("127.0.0.2");
    dns.set("order.test", ["127.0.0.1"]);
    const upstream = upstreamOf("order.test", { pollMs: 3_600_000 });
    expect(await call(upstream)).toBe("200 {}");
    dns.set("order.test", ["127.0.0.2"]);
    expect(await call(upstream)).toBe("200 {}");
    expect(leaving.seen()).toBe(2);
    await leaving.stop();
    await expect.poll(() => call(upstream), within).toBe("200 {}");
  });

  it.each(["NXDOMAIN", "SERVFAIL", "silent"] as const)(
    "is called at the last addresses where the resolver answers %s, and is looked up again",
    async (answer) => {
      const one = await replicaAt("127.0.0.1");
      const other = await replicaAt("127.0.0.2");
      dns.set("order.test", ["127.0.0.1"]);
      const upstream = upstreamOf();
      expect(await call(upstream)).toBe("200 {}");
      const before = dns.questions("order.test");
      dns.set("order.test", answer);
      // A failed lookup has two questions, or two tries, at least.
      await expect.poll(() => dns.questions("order.test") - before, within).toBeGreaterThanOrEqual(4);
      expect(await callOften(upstream, 5)).toEqual(new Set(["200 {}"]));
      expect(one.seen()).toBe(6);
      dns.set("order.test", ["127.0.0.2"]);
      await expect.poll(async () => [await call(upstream), other.seen() > 0], within).toEqual(["200 {}", true]);
    },
  );

  it("is unavailable at once while it has no address, and is called when it gets one", async () => {
    const upstream = upstreamOf();
    expect(await callOften(upstream, 5)).toEqual(new Set(["TEMPORARILY_UNAVAILABLE"]));
    expect(upstream.status()).toEqual([]);
    await replicaAt("127.0.0.1");
    dns.set("order.test", ["127.0.0.1"]);
    await expect.poll(() => call(upstream), within).toBe("200 {}");
  });

  it("has its IPv6 addresses where it has no others: each process counts once", async () => {
    dns.set("six.test", ["::1"]);
    dns.set("both.test", ["::1", "127.0.0.1"]);
    const server = createServer(ok);
    await listenAt(server, "::1");
    await replicaAt("127.0.0.1");
    const [six, both] = [upstreamOf("six.test"), upstreamOf("both.test")];
    expect([await call(six), await call(both)]).toEqual(["200 {}", "200 {}"]);
    expect([six.status().length, both.status().length]).toEqual([1, 1]);
  });

  it("may have more addresses than one packet takes, of which a process uses a bounded number", async () => {
    const addresses = (count: number) => Array.from({ length: count }, (_, n) => `127.0.1.${n + 1}`);
    dns.set("some.test", addresses(50));
    dns.set("many.test", addresses(150));
    const [some, many] = [upstreamOf("some.test"), upstreamOf("many.test")];
    await expect.poll(() => [some.status().length, many.status().length], within).toEqual([50, replicasMax]);
  });

  it("is the name in the handshake of TLS", async () => {
    const names: string[] = [];
    const server = tls.createServer({
      SNICallback(name, done) {
        names.push(name);
        done(new Error("no certificate"));
      },
    });
    server.on("tlsClientError", () => undefined);
    await listenAt(server, "127.0.0.1");
    dns.set("order.test", ["127.0.0.1"]);
    const urls = [`dns+https://${dns.address}/order.test.:${port}`];
    dns.set("order.test.", ["127.0.0.1"]);
    const upstream = createUpstream({ kind: "remote", urls });
    open.push(upstream.close);
    for (const type of ["application/json", grpc, "application/connect+json"]) {
      await upstream.fetch(request(type), { isSafe: false }).catch(() => undefined);
    }
    expect(names).toEqual(["order.test", "order.test", "order.test"]);
  });

  it("is not looked up any more when the upstream is closed", async () => {
    await replicaAt("127.0.0.1");
    dns.set("order.test", ["127.0.0.1"]);
    dns.set("other.test", ["127.0.0.1"]);
    const [closed, other] = [upstreamOf(), upstreamOf("other.test")];
    expect([await call(closed), await call(other)]).toEqual(["200 {}", "200 {}"]);
    closed.close();
    const [before, otherBefore] = [dns.questions("order.test"), dns.questions("other.test")];
    await expect.poll(() => dns.questions("other.test") - otherBefore, within).toBeGreaterThanOrEqual(3);
    expect(dns.questions("order.test")).toBe(before);
  });
});

describe("a replica that is about to stop", () => {
  it("gets no more calls after it said so over HTTP/1.1, while DNS still has it", async () => {
    const leaving = await replicaAt("127.0.0.1", (req, res) => {
      res.shouldKeepAlive = false;
      ok(req, res);
    });
    const staying = await replicaAt("127.0.0.2");
    dns.set("order.test", ["127.0.0.1", "127.0.0.2"]);
    const upstream = upstreamOf();
    expect(await callOften(upstream, 100)).toEqual(new Set(["200 {}"]));
    expect([leaving.seen(), staying.seen()]).toEqual([1, 99]);
  });

  it("gets no more calls after it said so over HTTP/2", async () => {
    const [leaving, staying] = [await grpcReplicaAt("127.0.0.1"), await grpcReplicaAt("127.0.0.2")];
    dns.set("order.test", ["127.0.0.1", "127.0.0.2"]);
    const upstream = upstreamOf();
    await expect.poll(async () => [await call(upstream, { type: grpc }), leaving.seen() > 0]).toEqual(["200 ", true]);
    for (const session of leaving.sessions) session.goaway();
    // The notice arrives before any later response of its connection.
    await expect
      .poll(async () => {
        const [before, stayingBefore] = [leaving.seen(), staying.seen()];
        await callOften(upstream, 30, grpc);
        return [leaving.seen() - before, staying.seen() - stayingBefore];
      })
      .toEqual([0, 30]);
  });
});

describe("a watched name", () => {
  it("is looked up again soon after a connection failed, and no more often however many fail", async () => {
    const lookups = { failing: 0, quiet: 0 };
    const watch = (which: keyof typeof lookups) => {
      const addresses = async () => {
        lookups[which] += 1;
        return ["127.0.0.1"];
      };
      const lookup = { addresses, cancel: () => undefined };
      const watched = watchName(lookup, {
        ...{ random: () => 1, pollMs: dnsPollMs },
        ...{ onAddresses: () => undefined, onFailure: () => undefined },
      });
      open.push(watched.stop);
      return watched;
    };
    const [failing] = [watch("failing"), watch("quiet")];
    await expect
      .poll(() => {
        for (let n = 0; n < 100; n += 1) failing.lookAgain();
        return lookups.failing;
      }, within)
      .toBe(3);
    expect(lookups.quiet).toBe(1);
  });
});

describe("the search domains of the operating system", () => {
  const kubernetes =
    "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";

  it.each([
    ["order", kubernetes, ["order.shop.svc.cluster.local", "order.svc.cluster.local", "order.cluster.local", "order"]],
    [
      "a.b.c.d.e.f",
      kubernetes,
      ["a.b.c.d.e.f", ...["shop.svc.", "svc.", ""].map((d) => `a.b.c.d.e.f.${d}cluster.local`)],
    ],
    ["order.shop.svc.cluster.local.", kubernetes, ["order.shop.svc.cluster.local"]],
    ["order", "nameserver 127.0.0.11\noptions edns0\n", ["order"]],
    ["order.test", "domain example.com\n", ["order.test", "order.test.example.com"]],
    ["order", "search old.example\nsearch new.example.\n", ["order.new.example", "order"]],
  ])("make of %s the names that resolv.conf says", (name, resolvConf, names) => {
    expect(searchNames(name, resolvConf)).toEqual(names);
  });
});
