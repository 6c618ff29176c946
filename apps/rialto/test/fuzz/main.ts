import { Command, InvalidArgumentError } from "commander";
import { fuzz } from "./fuzz.ts";

/**
 * `npm run fuzz -- --requests 20000`: the property-based run against the OpenAPI document. Prints the totals. Fails if
 * a check failed.
 */
const { requests, seed, verbose } = new Command("fuzz")
  .option("--requests <count>", "how many requests to make", whole, 20_000)
  .option("--seed <number>", "repeat a run", whole, Math.floor(Math.random() * 1_000_000))
  .option("--verbose", "figures of each operation, too")
  .parse()
  .opts<{ requests: number; seed: number; verbose?: true }>();

const result = await fuzz({ requests, seed });
if (result === undefined) process.exit(1);
const { operations, reports, ...figures } = result;
for (const report of reports) process.stdout.write(`${report}\n`);
if (verbose) for (const [name, one] of Object.entries(operations)) print(name, one);
print("fuzz", figures);
const share = result.validAnswered2xx / result.valid;
process.stdout.write(`valid requests answered 2xx: ${(share * 100).toFixed(1)} %\n`);
process.exitCode = reports.length > 0 || result.serverErrors > 0 || share < 0.5 ? 1 : 0;

function print(name: string, figures: object): void {
  process.stdout.write(`${name}: ${JSON.stringify(figures)}\n`);
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
}
