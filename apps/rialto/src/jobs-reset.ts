import { emptyQueues, restartDeliveries } from "@rialto/events";
import { auditCommand, runTask, type TaskAccess } from "@rialto/service";
import { Command, InvalidArgumentError } from "commander";
import { services } from "./services.ts";
import { withTaskData } from "./task-data.ts";

// Run it after Postgres was restored from a backup and before the services start: the queue is ahead of the restored
// data.
const command = new Command("jobs:reset")
  .description("Empty every queue, and send every unsettled delivery again from the outboxes.")
  .option(
    "--since <time>",
    "send again also what was settled since then (ISO 8601): for a subscriber's Postgres that was restored to an earlier time than its publisher's",
    timeOf,
  )
  .option(
    "--take-over",
    "also claim and empty what another installation, whose database is gone, left in Redis under this one's prefix",
  )
  .action(async (o: { since?: Date; takeOver?: true }) => {
    await runTask("jobs:reset", async (task) => {
      await withTaskData(task, async (access) => await reset(access, o));
    });
  });
await command.parseAsync();

/** Empties the queues first. A job that a relay sends meanwhile is not lost: its delivery is restarted after that. */
async function reset(
  access: TaskAccess,
  { since: settledSince, takeOver = false }: { readonly since?: Date; readonly takeOver?: boolean },
): Promise<void> {
  const queues = await emptyQueues(await access.jobs({ takeOver }));
  say(queues.length === 0 ? "There is no queue that holds anything" : `Emptied: ${queues.join(", ")}`);
  for (const { name, publishes } of services) {
    if (publishes.length === 0) continue;
    const { sql } = await access.database(name);
    const restarted = await sql.begin(async (tx) => {
      const count = await restartDeliveries(tx, { settledSince });
      const changes = [{ field: "deliveries", after: `${count} sent anew` }];
      await auditCommand(tx, { command: "jobs:reset", subject: `service:${name}`, changes });
      return count;
    });
    say(`${name}: ${restarted} deliveries are sent anew`);
  }
}

function timeOf(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError("write it as 2026-11-24T10:00:00Z");
  return time;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
