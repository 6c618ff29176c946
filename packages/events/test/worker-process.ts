import { MoneySchema } from "@rialto/contracts";
import { isOutage, openDatabase } from "@rialto/database";
import { createJobs, runSubscription, subscribe } from "@rialto/events";
import { createLogger } from "@rialto/telemetry";
import { oneCommit, type TransactionHandler } from "./one-commit.ts";

/**
 * A subscriber in a process of its own, to be killed: `node worker-process.ts <desk url> <jobs url> <subscription>`.
 */
const [deskUrl = "", jobsUrl = "", name = ""] = process.argv.slice(2);
const log = createLogger({ service: "test", level: process.env.RIALTO_TEST_LOG ?? "silent" });
const database = openDatabase({ url: deskUrl, schema: "desk", service: "desk" });
const jobs = await createJobs(
  jobsUrl.startsWith("redis") ? { redisUrl: jobsUrl, redisPrefix: "rialto-test" } : { postgresUrl: jobsUrl },
);
const handler: TransactionHandler<typeof MoneySchema> = {
  async inTransaction({ id, subject, version }, tx) {
    await tx`
      insert into effect (subscription, event_id, subject, version) values (${name}, ${id}, ${subject}, ${version})`;
    await tx`select pg_sleep(0.02)`;
  },
};
const subscription = subscribe(name, "shop.*", MoneySchema, oneCommit(database.sql, handler));
runSubscription({ subscription, database, jobs, log, isOutage });
process.stdout.write("running\n");
