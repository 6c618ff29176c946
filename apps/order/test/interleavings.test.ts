import type { CallContext } from "@rialto/rpc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LoggedOrderEvent } from "../src/order/events.ts";
import type { OrderChange, OrderStore } from "../src/order/store.ts";
import type { Command } from "../src/order/transitions.ts";
import { changeOrder } from "../src/requests/change-order.ts";
import { logTo, orderId, userId } from "./builders.ts";
import { memoryStore } from "./memory-store.ts";

/** What a person can ask of an order. */
const asked = fc.constantFrom<Command>(
  { kind: "requestShip" },
  { kind: "requestCancel" },
  { kind: "settleByCancel" },
  { kind: "deliver" },
);
const logs = fc.constantFrom(...Object.values(logTo));

/** What can be seen of a run: what happened to the order, and what each writer was told. */
interface Result {
  readonly events: readonly string[];
  readonly answers: readonly string[];
}

type Writer = () => Promise<string>;

/**
 * Two people's commands about one order, each by the loop of the handlers; reads and commits happen when `schedule`
 * lets them.
 */
function writersOf(
  log: readonly LoggedOrderEvent[],
  commands: readonly Command[],
  schedule: <T>(work: () => Promise<T>) => Promise<T>,
) {
  const store = memoryStore();
  store.seed(log);
  const orders = {
    read: (id: string) => schedule(() => store.read(id)),
    commit: (change: OrderChange) => schedule(() => store.commit(change)),
  } as unknown as OrderStore; // changeOrder reads and commits, and does no more
  const app = { orders, database: { sql: undefined as never } }; // without a key nothing is asked of it
  const ctx = {
    idempotencyKey: undefined,
    now: new Date(Date.UTC(2026, 0, 2)),
    traceparent: "",
    caller: { kind: "user", userId, role: "ADMIN", sessionId: "s" },
  } as unknown as CallContext; // what changeOrder looks at
  const writers = commands.map(
    (command): Writer =>
      async () => {
        try {
          const { order } = await changeOrder(app, { id: orderId, command, reason: "" }, ctx);
          return `version ${order?.version}`;
        } catch (error) {
          return error instanceof Error && "reason" in error ? String(error.reason) : String(error);
        }
      },
  );
  const result = (answers: readonly string[]): Result => ({
    events: store.log(orderId).map(({ event }) => event.kind),
    answers,
  });
  return { writers, result };
}

const atOnce = <T>(work: () => Promise<T>) => work();

/** One writer after the other, the first or the second first. */
async function serially(
  log: readonly LoggedOrderEvent[],
  commands: readonly Command[],
  secondFirst: boolean,
): Promise<Result> {
  const { writers, result } = writersOf(log, commands, atOnce);
  const answers: string[] = [];
  const turns = [...writers.entries()];
  for (const [index, write] of secondFirst ? turns.reverse() : turns) answers[index] = await write();
  return result(answers);
}

describe("any interleaving of two writers of one order", () => {
  it("ends in one of the two serial results, for the order and for both writers", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), logs, fc.tuple(asked, asked), async (scheduler, log, commands) => {
        const { writers, result } = writersOf(log, commands, (work) =>
          scheduler.schedule(Promise.resolve()).then(work),
        );
        const running = Promise.all(writers.map((write) => write()));
        await scheduler.waitFor(running);
        const serial = await Promise.all([serially(log, commands, false), serially(log, commands, true)]);
        expect(serial).toContainEqual(result(await running));
      }),
      { numRuns: 500 },
    );
  });
});
