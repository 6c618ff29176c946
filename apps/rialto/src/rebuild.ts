import { rebuildOrders } from "@rialto/order/rebuild";
import { runTask } from "@rialto/service";
import { Argument, Command } from "commander";
import { withTaskData } from "./task-data.ts";

// Compares stored rows with their event log, while the system runs. Exits with 1 if rows differ and were not repaired.
const command = new Command("rebuild")
  .description("Fold the log of every order and compare it with the order's row.")
  .addArgument(new Argument("<what>", "whose rows are compared with their log").choices(["order"]))
  .option("--repair", "write the rows that differ as their log has them", false)
  .action(async (_what: string, { repair }: { repair: boolean }) => {
    await runTask("rebuild", async (task) => {
      await withTaskData(task, async (access) => {
        const { orders, differences } = await rebuildOrders(await access.database("order"), {
          repair,
          onDifference({ id, fields, repaired }) {
            say(`${id} differs in ${fields.join(", ")}${repaired ? ": repaired" : ""}`);
          },
        });
        const repaired = differences.filter((difference) => difference.repaired).length;
        say(`${orders} orders compared with their log: ${differences.length} differ, ${repaired} repaired`);
        if (repaired < differences.length) process.exitCode = 1;
      });
    });
  });
await command.parseAsync();

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
