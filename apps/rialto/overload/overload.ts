import { Command, InvalidArgumentError, Option } from "commander";
import { runOverload } from "./run.ts";

const wholeNumber =
  (max: number) =>
  (text: string): number => {
    const number = Number(text);
    if (!/^\d{1,6}$/.test(text) || number < 1 || number > max)
      throw new InvalidArgumentError(`must be a whole number from 1 to ${max}`);
    return number;
  };

interface Options {
  readonly seconds: number;
  readonly accounts: number;
  readonly addresses: number;
  readonly processes: "one" | "six" | "both";
}

const program = new Command("overload")
  .description(
    "Attacks a Rialto with default settings from one address and then from many, while a customer makes a request a second, and prints what the customer got. Exit code 1 if one attacking address made a request of the customer be refused.",
  )
  .option("--seconds <n>", "how long each quiet run and each attack lasts", wholeNumber(600), 60)
  .option("--accounts <n>", "accounts of each attacking address", wholeNumber(200), 50)
  .option("--addresses <n>", "attacking addresses of the second attack; 1 leaves it out", wholeNumber(50), 20)
  .addOption(new Option("--processes <n>", "where to run it").choices(["one", "six", "both"]).default("both"))
  .parse();

const { processes, ...rest } = program.opts<Options>();
const isHeld = await runOverload({
  ...rest,
  processes: processes === "both" ? ["one", "six"] : [processes],
  env: process.env,
  print: (line) => void process.stdout.write(`${line}\n`),
});
process.exitCode = isHeld ? 0 : 1;
