import { once } from "node:events";
import { Agent, request as request1 } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import type { AttackAccount, Attacker, AttackPlan, AttackTotals } from "./attack-plan.ts";
import { expensiveRequest } from "./expensive-requests.ts";

/** The limits of one attack, over all addresses. */
const requestsMax = 400_000;
/** Streams per HTTP/2 connection, one less than the gateway accepts. */
const heldPerAccount = 99;
const drippedMax = 200;
const floodersAll = 120;
const expensiveAll = 60;
const dripMs = 1_000;
/** The longest deadline that a caller may set. */
const patience = { "connect-timeout-ms": "60000" };

// The parent process sends the plan and receives the totals.
const [plan] = (await once(process, "message")) as [AttackPlan];
const until = performance.now() + plan.ms;
const isOver = () => performance.now() >= until || totals.requests >= requestsMax;
const totals = { requests: 0, statuses: {} as Record<string, number>, held: 0, heldMax: 0 };
const sessions = new Set<ClientHttp2Session>();
const agent = new Agent({ keepAlive: true, maxSockets: floodersAll + expensiveAll + drippedMax });

const each = Math.max(1, Math.floor(floodersAll / plan.attackers.length));
const works: Promise<void>[] = [];
for (const attacker of plan.attackers) {
  for (const account of attacker.accounts) works.push(hold(attacker, account));
  for (let count = 0; count < each; count += 1) works.push(flood(attacker, count));
  for (let count = 0; count < Math.max(1, Math.floor(expensiveAll / plan.attackers.length)); count += 1)
    works.push(askExpensive(attacker, count));
  for (let count = 0; count < Math.max(1, Math.floor(drippedMax / plan.attackers.length)); count += 1)
    works.push(drip(attacker, count));
}
await Promise.race([Promise.all(works), sleep(plan.ms + 2_000)]);
for (const session of sessions) session.destroy();
agent.destroy();
const { held: _, ...sent } = totals;
const answer: AttackTotals = sent;
process.send?.(answer, () => process.exit(0));

function count(status: number): void {
  totals.statuses[status] = (totals.statuses[status] ?? 0) + 1;
}

/** Holds request bodies open over HTTP/2, as many as a connection allows, and replaces those that are ended. */
async function hold({ address }: Attacker, { token }: AttackAccount): Promise<void> {
  while (!isOver()) {
    const session = connect(plan.url);
    sessions.add(session);
    session.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => session.once("close", resolve));
    const begin = () => {
      if (isOver() || session.closed || session.destroyed) return;
      totals.requests += 1;
      const stream = session.request({
        ":method": "POST",
        ":path": "/rialto.order.v1.OrderService/CancelOrder",
        "content-type": "application/json",
        "x-forwarded-for": address,
        authorization: `Bearer ${token}`,
        ...patience,
      });
      totals.held += 1;
      totals.heldMax = Math.max(totals.heldMax, totals.held);
      stream.on("error", () => undefined);
      stream.once("response", (headers) => {
        count(Number(headers[":status"]));
        stream.resume();
      });
      stream.once("close", () => {
        totals.held -= 1;
        setTimeout(begin, 50);
      });
      stream.write("{");
    };
    for (let stream = 0; stream < heldPerAccount; stream += 1) begin();
    await Promise.race([closed, sleep(Math.max(0, until - performance.now()))]);
    session.destroy();
    sessions.delete(session);
    await sleep(100);
  }
}

/** Sends a body byte by byte over HTTP/1.1. */
async function drip(attacker: Attacker, index: number): Promise<void> {
  while (!isOver()) {
    const account = attacker.accounts[index % attacker.accounts.length];
    await new Promise<void>((resolve) => {
      totals.requests += 1;
      const call = request1(`${plan.url}/api/orders`, {
        agent,
        method: "POST",
        headers: {
          "content-type": "application/json",
          "content-length": "100000",
          "x-forwarded-for": attacker.address,
          authorization: `Bearer ${account?.token}`,
        },
      });
      const dripping = setInterval(() => (isOver() ? call.destroy() : call.write(" ")), dripMs);
      call.on("error", () => undefined);
      call.once("response", (response) => {
        count(response.statusCode ?? 0);
        response.resume();
      });
      call.once("close", () => {
        clearInterval(dripping);
        resolve();
      });
      call.flushHeaders();
    });
    await sleep(20);
  }
}

/**
 * Sends small requests as fast as responses arrive: signed in, anonymous, with an invalid token, and for unknown paths.
 */
async function flood(attacker: Attacker, index: number): Promise<void> {
  const account = attacker.accounts[index % attacker.accounts.length];
  const kinds = [
    { path: "/api/products", headers: { authorization: `Bearer ${account?.token}` } },
    { path: "/api/products", headers: {} },
    { path: "/api/orders", headers: { authorization: `Bearer ${account?.token.slice(0, -4)}AAAA` } },
    { path: "/nothing", headers: {} },
  ];
  const kind = kinds[index % kinds.length];
  while (!isOver() && kind !== undefined)
    await send({ method: "GET", path: kind.path, headers: { ...kind.headers, "x-forwarded-for": attacker.address } });
}

/** Sends the most expensive request of each method in turn. */
async function askExpensive(attacker: Attacker, index: number): Promise<void> {
  for (let turn = index; !isOver(); turn += 1) {
    const account = attacker.accounts[turn % attacker.accounts.length];
    if (account === undefined) return;
    const one = expensiveRequest(account, turn);
    await send({
      method: "POST",
      path: one.procedure,
      headers: {
        "content-type": one.contentType,
        "x-forwarded-for": attacker.address,
        authorization: `Bearer ${account.token}`,
        ...patience,
      },
      body: one.body,
    });
  }
}

/** Sends one request over HTTP/1.1 and reads its response, for at most 10 s. */
function send(o: {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}): Promise<void> {
  totals.requests += 1;
  return new Promise((resolve) => {
    const call = request1(plan.url + o.path, { agent, method: o.method, headers: o.headers, timeout: 10_000 });
    let status = 0;
    call.on("error", () => undefined);
    call.once("timeout", () => call.destroy());
    call.once("response", (response) => {
      status = response.statusCode ?? 0;
      response.resume();
      response.on("error", () => undefined);
      // A stream would last for minutes, so it is closed after a moment.
      const late = setTimeout(() => call.destroy(), 10_000);
      response.once("close", () => clearTimeout(late));
    });
    call.once("close", () => {
      count(status);
      // Refusals are the fastest responses; without a pause, the attacker would use up the CPU that is being measured.
      setImmediate(resolve);
    });
    call.end(o.body);
  });
}
