import { randomInt } from "node:crypto";
import { Command, InvalidArgumentError, Option } from "commander";
import { runChaos } from "./run.ts";
import type { JobsBackend } from "./system.ts";

const seedMax = 2 ** 31;

const count = (text: string): number => {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
};

interface Options {
  readonly orders: number;
  readonly kills: number;
  readonly freezes: number | undefined;
  readonly drops: number | undefined;
  readonly flushes: number;
  readonly readOnlys: number | undefined;
  readonly moves: number | undefined;
  readonly cuts: number | undefined;
  readonly seed: number | undefined;
  readonly rate: number;
  readonly jobs: JobsBackend;
  readonly keep: boolean;
  readonly mayCrash: boolean;
  readonly restSeconds: number;
}

const program = new Command("chaos")
  .description(
    "Kills, freezes and disconnects a running system while customers order, and checks that nothing was lost or done twice.",
  )
  .option("--orders <n>", "orders that customers place", count, 2_000)
  .option("--kills <n>", "processes killed with SIGKILL and restarted", count, 60)
  .option("--freezes <n>", "processes frozen for some seconds (default: a sixth of the kills)", count)
  .option("--drops <n>", "links that are cut or silenced for a while (default: a quarter of the kills)", count)
  .option("--flushes <n>", "how often Redis loses its data and continues", count, 0)
  .option("--read-onlys <n>", "how often Postgres becomes read-only (default: a twentieth of the kills)", count)
  .option(
    "--moves <n>",
    "how often Postgres fails over to a synchronous standby (default: a twentieth of the kills)",
    count,
  )
  .option("--cuts <n>", "how often all connections are cut (default: a twentieth of the kills)", count)
  .option("--seed <n>", "seed of all random choices (default: random, printed)", count)
  .option("--rate <n>", "orders started per second", count, 12)
  .addOption(new Option("--jobs <backend>", "job backend").choices(["redis", "postgres"]).default("redis"))
  .option("--keep", "keep data and logs", false)
  .option("--rest-seconds <n>", "how long the system may take to become idle at the end", count, 180)
  .option("--may-crash", "accept processes that kill themselves, for trees with a seeded bug", false)
  .parse();

const { freezes, drops, readOnlys, moves, cuts, seed, ...rest } = program.opts<Options>();
const held = await runChaos({
  ...rest,
  freezes: freezes ?? Math.ceil(rest.kills / 6),
  drops: drops ?? Math.ceil(rest.kills / 4),
  readOnlys: readOnlys ?? Math.ceil(rest.kills / 20),
  moves: moves ?? Math.ceil(rest.kills / 20),
  cuts: cuts ?? Math.ceil(rest.kills / 20),
  seed: seed ?? randomInt(seedMax),
  env: process.env,
  report: (line) => void process.stdout.write(`${line}\n`),
});
process.exitCode = held ? 0 : 1;
