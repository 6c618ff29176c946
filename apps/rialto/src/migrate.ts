import { migrateAll, runTask } from "@rialto/service";
import { Command } from "commander";
import { services } from "./services.ts";

// The step of a deployment before its processes: creates roles, schemas and tables, as the role of DATABASE_URL.
const command = new Command("migrate")
  .description("Create the roles, schemas and tables of all services, or bring them up to date.")
  .option(
    "--contract",
    "also drop what only older versions use: when no replica of them runs any more, nor will again",
    false,
  )
  .action(async ({ contract }: { contract: boolean }) => {
    await runTask("migrate", ({ config, log }) => migrateAll(services, { config, log, contract }));
  });
await command.parseAsync();
