import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Json, openShop, type Shop } from "../shop.ts";
import { admin, oneProcess, type Topology } from "../topology.ts";
import { type Figures, runOnce, schemathesis } from "./schemathesis.ts";

/** What came of a property-based run of the OpenAPI document. */
export interface FuzzResult extends Omit<Figures, "operations"> {
  readonly seed: number;
  readonly seconds: number;
  /** Memory of the process before and after, in megabytes. */
  readonly megabytesBefore: number;
  readonly megabytesAfter: number;
  readonly operations: Figures["operations"];
  /** The reports of the runs in which a check failed. */
  readonly reports: readonly string[];
}

/** Accounts that can be spared. */
const sparesMax = 10;

/** A password that every account of the run has. */
const password = "a password of some length";
const examplesMaxPerRun = 60;

/**
 * Starts a Rialto with limits raised and argon2 at test cost, fills it, and lets schemathesis call it until so many
 * requests were made. Undefined where schemathesis cannot be had.
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

/** How many operations the document has, about: a run makes so many times its examples. */
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

/** People, products and orders to name. */
async function fill(topology: Topology): Promise<Json> {
  const shop = await openShop(topology);
  const people = { customer: await shop.customer(), spareUser: await shop.customer() };
  const spares: { id: string; email: string }[] = [];
  for (let count = 0; count < sparesMax; count += 1) spares.push(await shop.customer());
  const products: string[] = [];
  for (let count = 0; count < 8; count += 1) products.push(await shop.product({ stock: 1_000_000 }));
  const orders: string[] = [];
  for (let count = 0; count < 8; count += 1) {
    const order = await shop.order(people.customer.token, products[count % products.length] ?? "");
    await shop.settled(people.customer.token, order.id);
    orders.push(order.id);
  }
  const payments = (await Promise.all(orders.map((id) => shop.payments(id)))).flat().map(({ id }) => id);
  return {
    url: topology.url,
    people: {
      admin,
      customer: { email: people.customer.email, password },
      ...Object.fromEntries(spares.map(({ email }, index) => [`spare-${index}`, { email, password }])),
    },
    /** Those whose sessions may be ended and whose passwords may be guessed at. */
    spares: spares.map((_spare, index) => `spare-${index}`),
    // Accounts that the run signs in as: they may not be changed by it.
    needed: [people.customer.id, ...spares.map(({ id }) => id), await adminId(shop)],
    ids: {
      products,
      orders,
      payments,
      users: [people.customer.id],
      spareUsers: [people.spareUser.id],
      notifications: await namesOf(shop, "/api/notifications", "notifications", "id"),
      subscriptions: await namesOf(shop, "/api/subscriptions", "subscriptions", "name"),
    },
  };
}

async function adminId(shop: Shop): Promise<string> {
  const { body } = await shop.call("GET", "/api/users?pageSize=200", { token: shop.adminToken });
  return body.users.find((user: Json) => user.email === admin.email)?.id;
}

async function namesOf(shop: Shop, path: string, list: string, name: string): Promise<string[]> {
  const { body } = await shop.call("GET", path, { token: shop.adminToken });
  const names: string[] = (body[list] ?? []).map((one: Json) => one[name]);
  return names.length > 0 ? names : ["00000000-0000-7000-8000-000000000000"];
}

/** What the processes hold now. Only Linux tells. */
async function megabytesOf({ pids }: Topology): Promise<number> {
  const sizes = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, "utf8").catch(() => "")));
  const kilobytes = sizes.map((text) => Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0));
  return Math.round(kilobytes.reduce((sum, one) => sum + one, 0) / 1024);
}
