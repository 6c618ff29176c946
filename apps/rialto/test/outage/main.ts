import { Command, Option } from "commander";
import { type Part, runOutages } from "./run-outage.ts";

const parts = ["postgres", "redis"] as const satisfies readonly Part[];

const command = new Command("outage")
  .description(
    "Takes Postgres away from six processes, then Redis, and prints once a second what they say of themselves",
  )
  .addOption(
    new Option("--seconds <number>", "how long each is away")
      .argParser((text) => Number.parseInt(text, 10))
      .default(60),
  )
  .addOption(new Option("--of <part>", "only this one").choices(parts))
  .action(async ({ seconds, of }: { readonly seconds: number; readonly of?: Part }) => {
    const report = (line: string) => void process.stdout.write(`${line}\n`);
    const results = await runOutages({ seconds, parts: of === undefined ? parts : [of], report });
    let areAllTrue = true;
    for (const { part, statements, accepted, confirmed } of results) {
      report(`\n${part}: ${accepted} orders accepted, ${confirmed} of them confirmed`);
      areAllTrue &&= accepted === confirmed;
      for (const { text, faults } of statements) {
        report(`${faults.length === 0 ? "true " : "FALSE"} ${text}`);
        for (const fault of faults.slice(0, 5)) report(`        ${fault}`);
        areAllTrue &&= faults.length === 0;
      }
    }
    process.exitCode = areAllTrue ? 0 : 1;
  });

await command.parseAsync();
