import { randomInt } from "node:crypto";
import { runChaos } from "./run.ts";

/** On Redis with a fixed seed, so that runs can be compared; on Postgres with a new seed each time. */
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
const report = (line: string) => void process.stdout.write(`${line}\n`);

const fixed = await runChaos({ ...small, seed: fixedSeed, jobs: "redis", flushes: 1, report });
const random = await runChaos({ ...small, seed: randomInt(seedMax), jobs: "postgres", report });
process.exitCode = fixed && random ? 0 : 1;
