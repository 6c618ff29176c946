import { chmodSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgresPair } from "@rialto/testing/postgres-pair";
import { takePortBlock } from "../../chaos/ports.ts";
import { startRedisServer } from "../../chaos/redis-server.ts";
import { openRestClient, type RestClient } from "../rest-client.ts";
import { sixNames, sixProcesses } from "../topology.ts";
import { everySecond, type Moment, type ObservedProcess, type Phase, statesOf } from "./moment.ts";
import { momentHead, momentLine } from "./moment-line.ts";
import { type OrderLoad, startOrderLoad } from "./order-load.ts";
import {
  isOver,
  isSeen,
  isWell,
  longSeconds,
  postgresStatements,
  redisStatements,
  type Statement,
} from "./statements.ts";

export type Part = "postgres" | "redis";

export interface OutageOptions {
  /** How long each part is away at least: also until all that is to be seen was seen. */
  readonly seconds: number;
  /** The parts that are taken away, one after the other. */
  readonly parts: readonly Part[];
  /** Gets a line for each moment and each statement. */
  readonly report: (line: string) => void;
}

/** What one outage showed. */
export interface OutageResult {
  readonly part: Part;
  readonly moments: readonly Moment[];
  /** Each statement, and what contradicts it. */
  readonly statements: readonly { readonly text: string; readonly faults: readonly string[] }[];
  /** Orders that were answered with 200, and how many of them were confirmed in the end. */
  readonly accepted: number;
  readonly confirmed: number;
}

const secondsBeforeMax = 3;
const pauseMs = 200;

/**
 * Kills Postgres or Redis under six processes while orders come in, brings it back, and writes down once a second what
 * each process says of itself. Both are killed with SIGKILL and come back on the same address; Redis comes back empty.
 */
export async function runOutages(o: OutageOptions): Promise<readonly OutageResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "rialto-outage-"));
  // Postgres runs as another user under root and must be able to read the folder.
  chmodSync(folder, 0o755);
  const ports = await takePortBlock();
  const pair = await startPostgresPair({ folder, synchronous: false });
  const redisPort = ports.next();
  const redis = await startRedisServer(redisPort, folder);
  const adminPorts = new Map(sixNames.map((name) => [name as string, ports.next()]));
  const system = await sixProcesses((name) => ({
    DATABASE_URL: pair.url,
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    RIALTO_ADMIN_PORT: String(adminPorts.get(name)),
    RIALTO_ARGON2_COST: "test",
  }));
  const faults: Readonly<Record<Part, { away(): Promise<void>; back(): Promise<void> }>> = {
    postgres: { away: pair.kill, back: pair.restart },
    redis: { away: redis.kill, back: redis.start },
  };
  try {
    const client = await openRestClient(system);
    const { token } = await client.customer();
    const product = await client.product({ stock: 1_000_000 });
    const processes = sixNames.map((name) => ({
      name,
      url: system.direct(name),
      metricsUrl: `http://127.0.0.1:${adminPorts.get(name)}/metrics`,
    }));
    const results: OutageResult[] = [];
    for (const part of o.parts) {
      o.report(`\n${part} is away for ${o.seconds} s\n${momentHead}`);
      const load = startOrderLoad({ url: system.url, token, product, pauseMs });
      const moments = await observe({ ...faults[part], ...o, part, processes, load });
      const confirmed = await confirmedOf(client, load.accepted);
      const ended = system.ended().map((one) => `ended: ${one}`);
      const statements = judge(part, moments);
      results.push({
        part,
        moments,
        statements: [...statements, { text: "no process ended", faults: ended }],
        accepted: load.accepted.length,
        confirmed,
      });
    }
    return results;
  } finally {
    await system.stop();
    await redis.stop();
    await pair.close();
    ports.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function observe(o: {
  readonly part: Part;
  readonly seconds: number;
  readonly processes: readonly ObservedProcess[];
  readonly load: OrderLoad;
  readonly report: (line: string) => void;
  away(): Promise<void>;
  back(): Promise<void>;
}): Promise<readonly Moment[]> {
  const moments: Moment[] = [];
  const phase = async (name: Phase, isDone: (moment: Moment) => boolean) => {
    await everySecond(async (second) => {
      const processes = await statesOf(o.processes);
      const moment = { phase: name, second, processes, orders: o.load.take() };
      moments.push(moment);
      o.report(momentLine(moment));
      return isDone(moment);
    });
  };
  let wasSeen = false;
  await phase("before", ({ second }) => second >= Math.min(secondsBeforeMax, o.seconds));
  await o.away();
  await phase("away", (moment) => {
    wasSeen ||= isSeen(o.part, moment);
    return wasSeen && moment.second >= o.seconds;
  });
  await o.back();
  // Orders come in until all is as before, and then what was accepted is delivered.
  await phase("back", ({ processes }) => processes.every(isWell));
  await o.load.stop();
  if (o.seconds >= longSeconds) await phase("after", isOver);
  return moments;
}

function judge(part: Part, moments: readonly Moment[]): OutageResult["statements"] {
  const statements: readonly Statement[] = part === "postgres" ? postgresStatements : redisStatements;
  return statements.map(({ text, faults }) => ({ text, faults: faults(moments) }));
}

/** Returns how many of the orders were confirmed, once each is at rest. */
async function confirmedOf(client: RestClient, ids: readonly string[]): Promise<number> {
  let confirmed = 0;
  for (const id of ids) if ((await client.settled(client.adminToken, id)).status === "CONFIRMED") confirmed += 1;
  return confirmed;
}
