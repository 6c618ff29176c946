/**
 * Spreads calls over three stand-ins of a service, each of which takes 5 ms, behind one DNS name; then freezes one of
 * them by SIGSTOP. Prints how many calls each got, and how long those took that the frozen one did not get.
 *
 *     node bench/programs/spread.ts [CALLS]
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import * as http2 from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { createUpstream, type Upstream } from "@rialto/rpc";
import { freePort } from "@rialto/testing";
import { testDns } from "@rialto/testing/dns-server";

const workMs = 5;
const inFlight = 48;
const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
const types = { "HTTP/1.1": "application/json", "gRPC over HTTP/2": "application/grpc+proto" } as const;
type Protocol = keyof typeof types;

const [, , role, address = "", port = "", protocol = ""] = process.argv;
if (role === "stand-in") await standIn(address, Number(port), protocol);
else await measure(Number(role ?? 10_000));

/** Answers after 5 ms, and names itself. */
async function standIn(host: string, at: number, kind: string): Promise<void> {
  const head = { "content-type": "application/json", "replica-address": host };
  if (kind === "HTTP/1.1")
    createServer((_req, res) => void setTimeout(() => res.writeHead(200, head).end("{}"), workMs)).listen(at, host);
  else {
    const server = http2.createServer();
    const grpcHead = { ...head, "content-type": "application/grpc+proto", "grpc-status": "0" };
    server.on("stream", (stream) => {
      stream.on("error", () => undefined);
      setTimeout(() => stream.destroyed || stream.respond(grpcHead, { endStream: true }), workMs);
    });
    server.listen(at, host);
  }
  process.on("disconnect", () => process.exit());
}

async function measure(calls: number): Promise<void> {
  for (const kind of ["HTTP/1.1", "gRPC over HTTP/2"] as const) {
    const dns = await testDns();
    dns.set("order.test", addresses);
    const at = await freePort();
    const standIns = addresses.map((host) => fork(import.meta.filename, ["stand-in", host, `${at}`, kind]));
    await Promise.all(standIns.map((child) => once(child, "spawn")));
    const upstream = createUpstream({ kind: "remote", urls: [`dns://${dns.address}/order.test:${at}`] });
    await reached(upstream, kind);
    report(`${kind}, all three answer`, await callAll(upstream, kind, calls));
    standIns[1]?.kill("SIGSTOP");
    report(`${kind}, ${addresses[1]} is frozen`, await callAll(upstream, kind, calls));
    await end(standIns);
    upstream.close();
    await dns.close();
  }
}

interface Outcomes {
  /** Milliseconds of each answered call, by the address that answered. */
  readonly answered: ReadonlyMap<string, number[]>;
  readonly lost: number;
}

async function callAll(upstream: Upstream, kind: Protocol, calls: number): Promise<Outcomes> {
  const answered = new Map(addresses.map((host) => [host, [] as number[]]));
  let lost = 0;
  let left = calls;
  const caller = async () => {
    while (left-- > 0) {
      const startedAt = performance.now();
      const from = await call(upstream, kind).catch(() => undefined);
      const times = answered.get(from ?? "");
      if (times === undefined) lost += 1;
      else times.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { answered, lost };
}

/** Returns the address that answered. */
async function call(upstream: Upstream, kind: Protocol): Promise<string | undefined> {
  async function* body() {
    yield Buffer.from("{}");
  }
  const header = new Headers({ "content-type": types[kind] });
  const request = { url: "http://order/a.B/C", method: "POST", header, body: body() };
  const response = await upstream.fetch(request, { isSafe: false, isStream: false });
  return response.header.get("replica-address") ?? undefined;
}

/** Waits until each stand-in answered: they start at different times. */
async function reached(upstream: Upstream, kind: Protocol): Promise<void> {
  for (const missing = new Set(addresses); missing.size > 0; await sleep(20))
    missing.delete((await call(upstream, kind).catch(() => undefined)) ?? "");
}

function report(what: string, { answered, lost }: Outcomes): void {
  const share = [...answered].map(([host, times]) => `${host}: ${times.length}`).join(", ");
  const times = [...answered.values()].flat().toSorted((a, b) => a - b);
  const p = (part: number) => `${(times[Math.floor(times.length * part)] ?? Number.NaN).toFixed(1)} ms`;
  const tail = `p50 ${p(0.5)}, p99 ${p(0.99)}, longest ${times.at(-1)?.toFixed(1)} ms`;
  process.stdout.write(`${what}\n  answered: ${share}; without an answer: ${lost}\n  answered calls: ${tail}\n`);
}

async function end(children: readonly ChildProcess[]): Promise<void> {
  const ended = children.map((child) => once(child, "exit"));
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(ended);
}
