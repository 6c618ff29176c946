import postgres from "postgres";
import { expect, it, onTestFinished } from "vitest";
import { countingSettings, countPerRepetition } from "./database-counts.ts";
import { openRestClient } from "./rest-client.ts";
import { oneProcess } from "./topology.ts";

it("an order that is confirmed and told of by mail costs the database no more than it did", async () => {
  const topology = await oneProcess("postgres", {}, countingSettings);
  onTestFinished(() => topology.stop());
  const client = await openRestClient(topology);
  const sql = postgres(topology.databaseUrl, { max: 1 });
  onTestFinished(() => sql.end());
  const { token } = await client.customer();
  const product = await client.product({ stock: 1_000 });

  const counts = await countPerRepetition(topology.databaseUrl, async (repetitions) => {
    // One after the other: nothing is combined, so this is what an order costs at the most.
    for (let n = 0; n < repetitions; n += 1) {
      const { id } = await client.order(token, product);
      expect(await client.settled(token, id)).toMatchObject({ status: "CONFIRMED" });
    }
    await expect.poll(() => unfinished(sql), { interval: 200, timeout: 80_000 }).toBe(0);
  });
  const { list, ...figures } = counts;
  const told = Object.entries(figures).map(([kind, count]) => `${kind} ${count}`);
  process.stdout.write(`per confirmed order, one process, jobs on Postgres: ${told.join(", ")}\n`);
  process.stdout.write(list.map((line) => `  ${line}\n`).join(""));
  // What it costs now, and a little more: 33 statements, 24 commits, 141,000 bytes. Most of the bytes are of BullMQ,
  // whose add_jobs_bulk makes a temporary table at each call. Whoever makes orders cheaper lowers the bounds.
  expect(counts.statements).toBeLessThanOrEqual(36);
  expect(counts.commits).toBeLessThanOrEqual(26);
  expect(counts.jobs).toBeLessThanOrEqual(3);
  expect(counts.walBytes).toBeLessThanOrEqual(165_000);
}, 240_000);

/** How much of what follows from the orders is not done yet: events to handle, and mails to send. */
async function unfinished(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select ((select count(*) from "order".outbox where batch_id is null)
      + (select count(*) from "order".delivery where settle_time is null)
      + (select count(*) from payment.outbox where batch_id is null)
      + (select count(*) from payment.delivery where settle_time is null)
      + (select count(*) from notification.notification where state = 'QUEUED'))::int as count`;
  return row?.count ?? 0;
}
