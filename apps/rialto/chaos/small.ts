import { randomInt } from "node:crypto";
import { runChaos } from "./run.ts";

/** A seed that never changes, so that two runs can be compared, on Redis; and one that is new each time, on Postgres. */
const fixedSeed = 20_261_124;
const seedMax = 2 ** 31;

const small = {
  orders: 200,
  kills: 10,
  freezes: 2,
  drops: 3,
  flushes: 0,
  readOnlys: 1,
  moves: 1,
  cuts: 1,
  rate: 12,
  restSeconds: 90,
  keep: false,
  mayCrash: false,
  env: process.env,
};
const tell = (line: string) => void process.stdout.write(`${line}\n`);

const fixed = await runChaos({ ...small, seed: fixedSeed, jobs: "redis", flushes: 1, tell });
const random = await runChaos({ ...small, seed: randomInt(seedMax), jobs: "postgres", tell });
process.exitCode = fixed && random ? 0 : 1;
