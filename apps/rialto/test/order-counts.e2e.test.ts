import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  countingSettings,
  type DatabaseCounter,
  type DatabaseCounts,
  openDatabaseCounter,
  type StatementKind,
} from "./database-counts.ts";
import { openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, type Topology } from "./topology.ts";

const timeoutMs = 240_000;
const warmUps = 5;
const repetitions = 8;
const together = 64;
/** Rounds that are counted at most. */
const roundsMax = 20;
/** Statements and commits of an order of those at once. */
const statementsMax = 2;
const commitsMax = 1.2;
const pollMs = 50;

describe.each(["redis", "postgres"] as const)("what an order costs the database, with jobs on %s,", (jobs) => {
  let topology: Topology;
  let client: RestClient;
  let sql: postgres.Sql;
  let counter: DatabaseCounter;
  let token: string;
  let product: string;

  beforeAll(async () => {
    topology = await oneProcess(jobs, {}, countingSettings);
    client = await openRestClient(topology);
    sql = postgres(topology.databaseUrl, { max: 1 });
    token = (await client.customer()).token;
    product = await client.product({ stock: 10_000 });
    await oneAfterTheOther(warmUps);
    await atOnce();
    counter = await openDatabaseCounter(topology.databaseUrl);
  }, timeoutMs);
  afterAll(async () => {
    await counter?.close();
    await sql?.end();
    await topology?.stop();
  });

  async function oneAfterTheOther(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      const { id } = await client.order(token, product);
      await allDone();
      expect(await statusOf(sql, id)).toBe("CONFIRMED");
    }
  }

  async function atOnce(): Promise<void> {
    await Promise.all(Array.from({ length: together }, () => client.order(token, product)));
    await allDone();
  }

  async function allDone(): Promise<void> {
    while ((await unfinished(sql)) > 0) await sleep(pollMs);
  }

  it(
    "alone, from CreateOrder to the mail that was sent, is at most what is stated here",
    async () => {
      const counts = await counter.count(repetitions, () => oneAfterTheOther(repetitions), { isAlike: true });
      const order = print(`per order alone, jobs on ${jobs}`, counts, repetitions);
      const sumOf = (isMeant: (kind: StatementKind) => boolean) =>
        counts.kinds.filter(isMeant).reduce((sum, { count }) => sum + count, 0) / repetitions;
      const polled = sumOf(isPolled);
      const untilConfirmed = order.statements - polled - sumOf(comesLater) - sharedLater;
      process.stdout.write(`  until CONFIRMED is committed: ${untilConfirmed}, and ${polled} that poll\n`);
      expect(untilConfirmed).toBeLessThanOrEqual(12);
      // The mail, the relays and what settles the events are nine more; settling takes two where it meets the first
      // event before the last one is due. Whoever makes orders cheaper lowers the bounds.
      expect(order.statements - polled).toBeLessThanOrEqual(22);
      expect(order.commits).toBeLessThanOrEqual(15);
      expect(order.jobs).toBeLessThanOrEqual(jobs === "postgres" ? 3 : 0);
      expect(order.jobStatements).toBeLessThanOrEqual(jobs === "postgres" ? 6 : 0);
      expect(order.walBytes).toBeLessThanOrEqual(jobs === "postgres" ? 36_000 : 27_000);
    },
    timeoutMs,
  );

  it(
    `at ${together} at once is at most ${statementsMax} statements and 27 KB of WAL, its mail and all else included`,
    async () => {
      // What else the machine does makes batches smaller, and never larger: one round that holds shows what they are.
      let counts = await counter.count(together, atOnce);
      for (let n = 1; n < roundsMax && !isOfBatches(counts); n += 1) counts = await counter.count(together, atOnce);
      const order = print(`per order of ${together} at once, jobs on ${jobs}`, counts, together);
      // 1.3 to 1.7 on a busy machine.
      expect(order.statements).toBeLessThanOrEqual(statementsMax);
      expect(order.commits).toBeLessThanOrEqual(commitsMax);
      expect(order.walBytes).toBeLessThanOrEqual(27_000);
    },
    timeoutMs,
  );
});

/** Whether the orders of a round shared statements and commits as they may be expected to. */
function isOfBatches({ statements, commits }: DatabaseCounts): boolean {
  return statements <= statementsMax * together && commits <= commitsMax * together;
}

/** Admission looks at the queue while orders come in: two to four times a second, however many they are. */
function isPolled({ role, text }: StatementKind): boolean {
  return (
    role.endsWith("_order") && /^(with front as|select count\(\*\)::int as count from \(select from orders)/.test(text)
  );
}

/** What only the mail, the relays and the settlement send: after the commit that confirms. */
function comesLater({ role, text }: StatementKind): boolean {
  if (role.endsWith("_notification") || text.startsWith("with done as")) return true;
  if (role.endsWith("_payment")) return text.startsWith("with claimed as");
  return role.endsWith("_order") && /^select "id", .*from "order"."orders"/.test(text);
}

/** Of the statements that both parts send: the account for the mail, and the claim of the event that leads to it. */
const sharedLater = 2;
const textCharsMax = 100;

/** Prints the counts of one order, for whoever wants to know what is left to be saved, and returns them. */
function print(what: string, { kinds, ...sums }: DatabaseCounts, orders: number) {
  const [statements, jobStatements] = [sums.statements / orders, sums.jobStatements / orders];
  const order = {
    statements,
    jobStatements,
    commits: sums.commits / orders,
    jobCommits: sums.jobCommits / orders,
    jobs: sums.jobs / orders,
    walBytes: sums.walBytes / orders,
  };
  const told = Object.entries(order).map(([kind, count]) => `${kind} ${Number(count.toFixed(2))}`);
  const lines = kinds
    .filter(({ count }) => count / orders >= 0.01)
    .map(({ count, role, text }) => `  ${(count / orders).toFixed(2)} ${role}: ${text.slice(0, textCharsMax)}\n`);
  process.stdout.write(`${what}: ${told.join(", ")}\n${lines.join("")}`);
  return order;
}

async function statusOf(sql: postgres.Sql, id: string): Promise<string | undefined> {
  const [row] = await sql<{ status: string }[]>`select status from "order".orders where id = ${id}`;
  return row?.status;
}

/** How much of what follows from the orders is not done yet: events to handle, and mails to send. */
async function unfinished(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select ((select count(*) from "order".outbox where batch_id is null)
      + (select count(*) from "order".delivery where settle_time is null)
      + (select count(*) from payment.outbox where batch_id is null)
      + (select count(*) from payment.delivery where settle_time is null)
      + (select count(*) from "order".orders where status in ('PENDING', 'STOCK_RESERVED'))
      + (select count(*) from notification.notification where state = 'QUEUED'))::int as count`;
  return row?.count ?? 0;
}
