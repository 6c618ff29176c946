import { setTimeout as sleep } from "node:timers/promises";
import type { FaultLog } from "./fault-log.ts";
import type { Part } from "./process.ts";
import type { Link } from "./proxy-link.ts";
import type { FaultPlan, Target } from "./seed/fault-plan.ts";
import type { System } from "./system.ts";

/** The minimum time between the starts of two faults, so that they do not pile up on a slow machine. */
const gapMsMin = 1_000;
/** Start attempts for a process that restarts during other faults. */
const startTriesMax = 20;
const startRetryMs = 500;
/** The time between two cuts of all connections, in which new ones are opened. */
const cutAgainMs = 400;

/** Injects the planned faults. */
export interface FaultInjector {
  /** Reports how many orders were started. Faults planned for that point begin. */
  begun(orders: number): void;
  /** Resolves when all planned faults have ended. */
  over(): Promise<void>;
  /** The number of kills of each kind of process. */
  killed(): ReadonlyMap<Target, number>;
}

/** Creates the injector. Faults of one part run one after the other; faults of different parts can overlap. */
export function createFaultInjector(o: {
  readonly plan: readonly FaultPlan[];
  readonly system: System;
  readonly faultLog: FaultLog;
}): FaultInjector {
  const { system, faultLog } = o;
  const waiting = [...o.plan];
  const due: FaultPlan[] = [];
  const kills = new Map<Target, number>();
  const turns = new Map<string, Promise<void>>();
  const running: Promise<void>[] = [];
  let working: Promise<void> | undefined;

  /** Runs after the earlier faults of the same part. */
  function inTurn(name: string, work: () => Promise<void>): Promise<void> {
    const mine = (turns.get(name) ?? Promise.resolve()).then(work);
    turns.set(name, mine);
    return mine;
  }

  async function kill(part: Part, target: Target, downMs: number): Promise<void> {
    const end = faultLog.begin({ kind: "KILL", touches: [part.name] }, `SIGKILL ${part.name}`);
    await part.kill();
    kills.set(target, (kills.get(target) ?? 0) + 1);
    await sleep(downMs);
    const asked = Date.now();
    await startAgain(part);
    end(`${part.name} is back after ${Date.now() - asked + downMs} ms`);
  }

  async function freeze(part: Part, forMs: number): Promise<void> {
    const end = faultLog.begin({ kind: "FREEZE", touches: [part.name] }, `SIGSTOP ${part.name} for ${forMs} ms`);
    part.freeze();
    await sleep(forMs);
    part.thaw();
    end("");
  }

  async function drop(link: Link, way: "CUT" | "SILENCE", forMs: number): Promise<void> {
    const touches = [link.from, link.to];
    const end = faultLog.begin({ kind: way, touches }, `${way} ${link.name} for ${forMs} ms`);
    if (way === "CUT") link.cut();
    else link.silence();
    await sleep(forMs);
    link.restore();
    end("");
  }

  async function readOnly(forMs: number): Promise<void> {
    const end = faultLog.begin({ kind: "READ_ONLY", touches: ["postgres"] }, `postgres is read-only for ${forMs} ms`);
    await system.postgres.setReadOnly(true);
    await sleep(forMs);
    await system.postgres.setReadOnly(false);
    end("");
  }

  async function move(): Promise<void> {
    const end = faultLog.begin({ kind: "MOVE", touches: ["postgres"] }, "postgres fails over to a synchronous standby");
    const asked = Date.now();
    await system.postgres.move();
    end(`postgres failed over after ${Date.now() - asked} ms`);
  }

  async function cutAll(times: number): Promise<void> {
    const end = faultLog.begin({ kind: "CUT_ALL", touches: ["postgres"] }, `all connections cut, ${times} times`);
    for (let n = 0; n < times; n += 1) {
      // Redis may be down because of another fault, which closes its connections as well.
      await Promise.all([system.postgres.cutAll(), system.redis?.cutAll().catch(() => undefined)]);
      await sleep(cutAgainMs);
    }
    end("");
  }

  function happen(fault: FaultPlan): Promise<void> {
    switch (fault.kind) {
      case "KILL": {
        const part = partOf(system, fault.target, fault.replica);
        return inTurn(part.name, () => kill(part, fault.target, fault.downMs));
      }
      case "FREEZE": {
        const part = partOf(system, fault.target, fault.replica);
        return inTurn(part.name, () => freeze(part, fault.forMs));
      }
      case "DROP": {
        const links = usedLinks(system.links);
        const link = links[fault.link % links.length];
        if (link === undefined) return Promise.resolve();
        return inTurn(link.name, () => drop(link, fault.way, fault.forMs));
      }
      case "FLUSH":
        return inTurn("redis", async () => {
          const end = faultLog.begin({ kind: "FLUSH", touches: ["redis"] }, "FLUSHALL");
          await system.redis?.flush();
          end("");
        });
      // Runs after other faults of Postgres: a server that is down can be neither promoted nor told to close
      // connections.
      case "READ_ONLY":
        return inTurn("postgres", () => readOnly(fault.forMs));
      case "MOVE":
        return inTurn("postgres", move);
      case "CUT_ALL":
        return inTurn("postgres", () => cutAll(fault.times));
    }
  }

  async function work(): Promise<void> {
    for (let fault = due.shift(); fault !== undefined; fault = due.shift()) {
      await sleep(fault.delayMs);
      const happening = happen(fault);
      // The error surfaces in `over`.
      happening.catch(() => undefined);
      running.push(happening);
      await sleep(gapMsMin);
    }
    working = undefined;
  }

  return {
    begun(orders) {
      while ((waiting[0]?.afterOrders ?? Number.POSITIVE_INFINITY) <= orders) due.push(...waiting.splice(0, 1));
      if (due.length > 0) working ??= work();
    },
    async over() {
      await working;
      await Promise.all(running);
    },
    killed: () => kills,
  };
}

/** Restarts a part like a supervisor: a start during another fault can fail. */
async function startAgain(part: Part): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await part.start();
      return;
    } catch (error) {
      if (tries === startTriesMax) throw error;
      await sleep(startRetryMs);
    }
  }
}

function partOf(system: System, target: Target, replica: number): Part {
  if (target === "postgres") return system.postgres;
  if (target === "redis" && system.redis !== undefined) return system.redis;
  const replicas = system.processes.filter(({ name }) => name === target || name.startsWith(`${target}-`));
  const part = replicas[replica % replicas.length];
  if (part === undefined) throw new Error(`${target} does not run`);
  return part;
}

/**
 * The links between parts that communicate while orders are in progress. Faults of other links would have no effect.
 */
function usedLinks(links: readonly Link[]): readonly Link[] {
  const talks: Readonly<Record<string, readonly string[]>> = {
    customers: ["gateway"],
    gateway: ["user", "product", "order", "payment"],
    order: ["user", "product", "payment", "postgres", "redis"],
    notification: ["user", "order", "postgres", "redis", "mail"],
    user: ["postgres", "redis"],
    product: ["postgres"],
    payment: ["postgres", "redis"],
  };
  const kindOf = (name: string) => name.replace(/-\d$/, "");
  return links.filter(({ from, to }) => talks[kindOf(from)]?.includes(kindOf(to)));
}
