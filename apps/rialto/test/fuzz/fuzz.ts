import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Json, openRestClient, type RestClient } from "../rest-client.ts";
import { admin, oneProcess, type Topology } from "../topology.ts";
import { type Figures, runOnce, schemathesis } from "./schemathesis.ts";

/** The result of a property-based run against the OpenAPI document. */
export interface FuzzResult extends Omit<Figures, "operations"> {
  readonly seed: number;
  readonly seconds: number;
  /** Memory of the process before and after, in megabytes. */
  readonly megabytesBefore: number;
  readonly megabytesAfter: number;
  readonly operations: Figures["operations"];
  /** The reports of failed checks. */
  readonly reports: readonly string[];
}

/** Accounts that the run may change. */
const sparesMax = 10;

/** The password of all accounts of the run. */
const password = "a password of some length";
const examplesMaxPerRun = 60;

/**
 * Starts a system with raised limits and argon2 at test cost, fills it, and runs schemathesis until the number of
 * requests is reached. Returns undefined if schemathesis is not available.
 */
export async function fuzz(o: { readonly requests: number; readonly seed: number }): Promise<FuzzResult | undefined> {
  const program = await schemathesis();
  if (program === undefined) return undefined;
  const topology = await oneProcess("postgres", {
    RIALTO_ARGON2_COST: "test",
    RIALTO_RATE_LIMIT: "0",
    RIALTO_TRUSTED_PROXIES: "127.0.0.1",
  });
  const folder = await mkdtemp(join(tmpdir(), "rialto-fuzz-"));
  try {
    const state = join(folder, "state.json");
    await writeFile(state, JSON.stringify(await fill(topology)));
    const megabytesBefore = await megabytesOf(topology);
    const started = Date.now();
    const totals = { requests: 0, valid: 0, validAnswered2xx: 0, serverErrors: 0 };
    const operations: Record<string, Figures["operations"][string]> = {};
    const reports: string[] = [];
    for (let turn = 0; totals.requests < o.requests; turn += 1) {
      const left = o.requests - totals.requests;
      const examplesMax = Math.max(1, Math.min(examplesMaxPerRun, Math.ceil(left / operationsAbout)));
      const where = { url: topology.url, state, figures: join(folder, `figures-${turn}.json`) };
      const { figures, report } = await runOnce(program, { ...where, seed: o.seed + turn, examplesMax });
      if (figures.requests === 0) throw new Error(`schemathesis made no request:\n${report ?? ""}`);
      for (const key of ["requests", "valid", "validAnswered2xx", "serverErrors"] as const) totals[key] += figures[key];
      addOperations(operations, figures.operations);
      if (report !== undefined) reports.push(report);
    }
    const seconds = Math.round((Date.now() - started) / 1_000);
    const megabytesAfter = await megabytesOf(topology);
    return { ...totals, seed: o.seed, seconds, megabytesBefore, megabytesAfter, operations, reports };
  } finally {
    await topology.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** About the number of operations in the document. A run makes as many requests times its examples. */
const operationsAbout = 44;

function addOperations(to: Record<string, Figures["operations"][string]>, from: Figures["operations"]): void {
  for (const [name, one] of Object.entries(from)) {
    const sum = to[name] ?? { requests: 0, valid: 0, ok: 0, statuses: {} };
    const statuses: Record<string, number> = { ...sum.statuses };
    for (const [status, count] of Object.entries(one.statuses)) statuses[status] = (statuses[status] ?? 0) + count;
    to[name] = {
      requests: sum.requests + one.requests,
      valid: sum.valid + one.valid,
      ok: sum.ok + one.ok,
      statuses,
    };
  }
}

/** Users, products and orders for the requests. */
async function fill(topology: Topology): Promise<Json> {
  const client = await openRestClient(topology);
  const people = { customer: await client.customer(), spareUser: await client.customer() };
  const spares: { id: string; email: string }[] = [];
  for (let count = 0; count < sparesMax; count += 1) spares.push(await client.customer());
  const products: string[] = [];
  for (let count = 0; count < 8; count += 1) products.push(await client.product({ stock: 1_000_000 }));
  const orders: string[] = [];
  for (let count = 0; count < 8; count += 1) {
    const order = await client.order(people.customer.token, products[count % products.length] ?? "");
    await client.settled(people.customer.token, order.id);
    orders.push(order.id);
  }
  const payments = (await Promise.all(orders.map((id) => client.payments(id)))).flat().map(({ id }) => id);
  return {
    url: topology.url,
    people: {
      admin,
      customer: { email: people.customer.email, password },
      ...Object.fromEntries(spares.map(({ email }, index) => [`spare-${index}`, { email, password }])),
    },
    /** Accounts whose sessions may end and whose passwords may be guessed at. */
    spares: spares.map((_spare, index) => `spare-${index}`),
    // Accounts that the run signs in with, which it may not change.
    needed: [people.customer.id, ...spares.map(({ id }) => id), await adminId(client)],
    ids: {
      products,
      orders,
      payments,
      users: [people.customer.id],
      spareUsers: [people.spareUser.id],
      notifications: await namesOf(client, "/api/notifications", "notifications", "id"),
      subscriptions: await namesOf(client, "/api/subscriptions", "subscriptions", "name"),
    },
  };
}

async function adminId(client: RestClient): Promise<string> {
  const { body } = await client.call("GET", "/api/users?pageSize=200", { token: client.adminToken });
  return body.users.find((user: Json) => user.email === admin.email)?.id;
}

async function namesOf(client: RestClient, path: string, list: string, name: string): Promise<string[]> {
  const { body } = await client.call("GET", path, { token: client.adminToken });
  const names: string[] = (body[list] ?? []).map((one: Json) => one[name]);
  return names.length > 0 ? names : ["00000000-0000-7000-8000-000000000000"];
}

/** The memory of the processes. Linux only. */
async function megabytesOf({ pids }: Topology): Promise<number> {
  const sizes = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, "utf8").catch(() => "")));
  const kilobytes = sizes.map((text) => Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0));
  return Math.round(kilobytes.reduce((sum, one) => sum + one, 0) / 1024);
}
