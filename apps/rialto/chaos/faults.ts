import { setTimeout as sleep } from "node:timers/promises";
import type { Part } from "./process.ts";
import type { Line } from "./proxy.ts";
import type { FaultPlan, Target } from "./seed/fault-plan.ts";
import type { System } from "./system.ts";
import type { TimeLine } from "./time-line.ts";

/** Two faults do not begin closer to each other than this, so that a slow machine gets no pile of them. */
const gapMsMin = 1_000;
/** How often a process that comes up in the middle of other faults is tried again. */
const startTriesMax = 20;
const startRetryMs = 500;
/** Between two cuts of all connections: new ones are at work by then, or about to be. */
const cutAgainMs = 400;

/** Makes faults happen, by their plan. */
export interface FaultInjector {
  /** Tells how many orders were begun so far: what was planned for that moment happens. */
  begun(orders: number): void;
  /** Resolves when all that was planned has happened and is over. */
  over(): Promise<void>;
  /** How many processes of each kind were killed. */
  killed(): ReadonlyMap<Target, number>;
}

/** Works through the plan. Faults of one process come one after the other; those of different ones overlap as they fall. */
export function createFaultInjector(o: {
  readonly plan: readonly FaultPlan[];
  readonly system: System;
  readonly timeLine: TimeLine;
}): FaultInjector {
  const { system, timeLine } = o;
  const waiting = [...o.plan];
  const due: FaultPlan[] = [];
  const kills = new Map<Target, number>();
  const turns = new Map<string, Promise<void>>();
  const running: Promise<void>[] = [];
  let working: Promise<void> | undefined;

  /** In turn with the other faults of the same thing. */
  function inTurn(name: string, work: () => Promise<void>): Promise<void> {
    const mine = (turns.get(name) ?? Promise.resolve()).then(work);
    turns.set(name, mine);
    return mine;
  }

  async function kill(part: Part, target: Target, downMs: number): Promise<void> {
    const end = timeLine.begin({ kind: "KILL", touches: [part.name] }, `SIGKILL ${part.name}`);
    await part.kill();
    kills.set(target, (kills.get(target) ?? 0) + 1);
    await sleep(downMs);
    const asked = Date.now();
    await startAgain(part);
    end(`${part.name} is back after ${Date.now() - asked + downMs} ms`);
  }

  async function freeze(part: Part, forMs: number): Promise<void> {
    const end = timeLine.begin({ kind: "FREEZE", touches: [part.name] }, `SIGSTOP ${part.name} for ${forMs} ms`);
    part.freeze();
    await sleep(forMs);
    part.thaw();
    end("");
  }

  async function drop(line: Line, way: "CUT" | "SILENCE", forMs: number): Promise<void> {
    const touches = [line.from, line.to];
    const end = timeLine.begin({ kind: way, touches }, `${way} ${line.name} for ${forMs} ms`);
    if (way === "CUT") line.cut();
    else line.silence();
    await sleep(forMs);
    line.mend();
    end("");
  }

  async function readOnly(forMs: number): Promise<void> {
    const end = timeLine.begin({ kind: "READ_ONLY", touches: ["postgres"] }, `postgres is read-only for ${forMs} ms`);
    await system.postgres.setReadOnly(true);
    await sleep(forMs);
    await system.postgres.setReadOnly(false);
    end("");
  }

  async function move(): Promise<void> {
    const end = timeLine.begin({ kind: "MOVE", touches: ["postgres"] }, "postgres moves to a synchronous standby");
    const asked = Date.now();
    await system.postgres.move();
    end(`postgres has moved after ${Date.now() - asked} ms`);
  }

  async function cutAll(times: number): Promise<void> {
    const end = timeLine.begin({ kind: "CUT_ALL", touches: ["postgres"] }, `every connection is cut, ${times} times`);
    for (let n = 0; n < times; n += 1) {
      // Redis may be down for a fault of its own, and has cut all by that.
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
        const lines = linesOfUse(system.lines);
        const line = lines[fault.line % lines.length];
        if (line === undefined) return Promise.resolve();
        return inTurn(line.name, () => drop(line, fault.way, fault.forMs));
      }
      case "FLUSH":
        return inTurn("redis", async () => {
          const end = timeLine.begin({ kind: "FLUSH", touches: ["redis"] }, "FLUSHALL");
          await system.redis?.flush();
          end("");
        });
      // In turn with what else happens to Postgres: a server that is down is neither promoted nor asked to cut.
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
      // Whoever waits for the end is told; until then it is no news.
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

/** A start can meet other faults: a process whose Postgres is down ends again, and is started again, as a supervisor does. */
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

/** Lines over which nothing goes are not worth a fault: only these parts talk to each other while orders are under way. */
function linesOfUse(lines: readonly Line[]): readonly Line[] {
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
  return lines.filter(({ from, to }) => talks[kindOf(from)]?.includes(kindOf(to)));
}
