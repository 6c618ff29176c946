/**
 * Spreads calls over three stand-ins of a service, each of which takes 5 ms, behind one DNS name. Then a fourth is
 * added to the name and removed from it, and one of the three is frozen by SIGSTOP. Prints how many calls each got,
 * how soon the fourth got its first and its last one, and how long those took that the frozen one did not get. Exit
 * code 1 where a share is 10 % off an even one, where the fourth is used later than 5 s after the answer of DNS
 * changed, or where a call is lost but for the first ones that the frozen one had.
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
const fourth = "127.0.0.4";
const unevenMax = 0.1;
/** From a changed answer of DNS to the calls that follow it. */
const changeMsMax = 5_000;
/** Calls may be with the frozen one when it freezes; after that its breaker is open. */
const lostMax = inFlight;
const types = { "HTTP/1.1": "application/json", "gRPC over HTTP/2": "application/grpc+proto" } as const;
type Protocol = keyof typeof types;

const [, , role, address = "", port = "", protocol = ""] = process.argv;
if (role === "stand-in") await standIn(address, Number(port), protocol);
else await measure(Number(role ?? 10_000));

/** Answers after 5 ms, and names itself. */
async function standIn(host: string, at: number, kind: string): Promise<void> {
  const listening = () => void process.send?.("listening");
  const head = { "content-type": "application/json", "replica-address": host };
  if (kind === "HTTP/1.1")
    createServer((_req, res) => void setTimeout(() => res.writeHead(200, head).end("{}"), workMs)).listen(
      at,
      host,
      listening,
    );
  else {
    const server = http2.createServer();
    const grpcHead = { ...head, "content-type": "application/grpc+proto", "grpc-status": "0" };
    server.on("stream", (stream) => {
      stream.on("error", () => undefined);
      setTimeout(() => stream.destroyed || stream.respond(grpcHead, { endStream: true }), workMs);
    });
    server.listen(at, host, listening);
  }
  process.on("disconnect", () => process.exit());
}

async function measure(calls: number): Promise<void> {
  for (const kind of ["HTTP/1.1", "gRPC over HTTP/2"] as const) {
    const dns = await testDns();
    dns.set("order.test", addresses);
    const at = await freePort();
    const standIns = [...addresses, fourth].map((host) =>
      fork(import.meta.filename, ["stand-in", host, `${at}`, kind]),
    );
    // One that is called before it listens is left out until its breaker tries it again.
    await Promise.all(standIns.map((child) => once(child, "message")));
    const upstream = createUpstream({ kind: "remote", urls: [`dns://${dns.address}/order.test:${at}`] });
    await reached(upstream, kind);
    const even = await callAll(upstream, kind, calls);
    report(`${kind}, all three answer`, even);
    const share = calls / addresses.length;
    for (const [host, { length }] of even.answered)
      require(Math.abs(length - share) <= share * unevenMax, `${host} got ${length} calls, and not about ${share}`);
    require(even.lost === 0, `${even.lost} calls were lost`);
    const names = (to: readonly string[]) => dns.set("order.test", to);
    await changeMembers(upstream, kind, names);
    standIns[1]?.kill("SIGSTOP");
    const frozen = await callAll(upstream, kind, calls);
    report(`${kind}, ${addresses[1]} is frozen`, frozen);
    require(frozen.lost <= lostMax, `${frozen.lost} calls were lost`);
    await end(standIns);
    upstream.close();
    await dns.close();
  }
}

/** Adds the fourth to the name and removes it again, while calls go on. */
async function changeMembers(
  upstream: Upstream,
  kind: Protocol,
  setMembers: (to: readonly string[]) => void,
): Promise<void> {
  const calls = keepCalling(upstream, kind);
  setMembers([...addresses, fourth]);
  const addedAt = performance.now();
  while (calls.lastAt(fourth) === undefined) await sleep(5);
  const firstMs = (calls.lastAt(fourth) ?? Number.NaN) - addedAt;
  setMembers(addresses);
  const removedAt = performance.now();
  await sleep(2 * changeMsMax);
  const lastMs = Math.max(0, (calls.lastAt(fourth) ?? Number.NaN) - removedAt);
  const lost = await calls.stop();
  const text = `first call ${seconds(firstMs)} after it was added, last one ${seconds(lastMs)} after it was removed`;
  process.stdout.write(`${kind}, ${fourth} is added and removed\n  ${text}; without an answer: ${lost}\n`);
  require(firstMs <= changeMsMax && lastMs <= changeMsMax, `${fourth}: ${text}`);
  require(lost === 0, `${lost} calls were lost`);
}

/** Calls without a pause until it is stopped, which resolves with how many were lost. */
function keepCalling(upstream: Upstream, kind: Protocol) {
  const lastAt = new Map<string, number>();
  let lost = 0;
  let isOver = false;
  const caller = async () => {
    while (!isOver) {
      const from = await call(upstream, kind).catch(() => undefined);
      if (from === undefined) {
        lost += 1;
        await sleep(1);
      } else lastAt.set(from, performance.now());
    }
  };
  const running = Promise.all(Array.from({ length: inFlight }, caller));
  return {
    lastAt: (host: string) => lastAt.get(host),
    async stop(): Promise<number> {
      isOver = true;
      await running;
      return lost;
    },
  };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function require(isSo: boolean, otherwise: string): void {
  if (isSo) return;
  process.exitCode = 1;
  process.stdout.write(`  NOT GOOD: ${otherwise}\n`);
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

/** Waits until each stand-in answered. */
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
