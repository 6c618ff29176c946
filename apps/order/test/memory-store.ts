import type { InboxEntry } from "@rialto/database";
import { v7 as uuid } from "uuid";
import { apply, fold, type LoggedOrderEvent } from "../src/order/events.ts";
import type { Order } from "../src/order/state.ts";
import type { OrderChange, OrderCommitted } from "../src/order/store.ts";
import { type Command, decide } from "../src/order/transitions.ts";

/** Orders in memory, committed at the version they were decided on, as the real store does. */
export interface MemoryStore {
  read(id: string): Promise<Order | undefined>;
  readToDecide(id: string): Promise<Order | undefined>;
  commit(change: OrderChange): Promise<OrderCommitted>;
  /** Set by tests to get in the way of commits. */
  beforeCommit: (change: OrderChange) => void;
  /** Called once a change is committed, before its writer knows. */
  afterCommit: (change: OrderChange) => void | Promise<void>;
  /** How often orders were read to decide. */
  readonly reads: number;
  readonly inbox: readonly InboxEntry[];
  /** The ids of the events that commits have published. */
  readonly published: readonly string[];
  log(id: string): readonly LoggedOrderEvent[];
  seed(log: readonly LoggedOrderEvent[]): void;
  /** Commits a command of a person, or of a payment event. */
  decide(id: string, command: Command): Promise<void>;
  must(id: string): Order;
}

export function memoryStore(): MemoryStore {
  const logs = new Map<string, LoggedOrderEvent[]>();
  const inbox: InboxEntry[] = [];
  const published: string[] = [];
  const logOf = (id: string) => logs.get(id) ?? [];
  let reads = 0;
  const store: MemoryStore = {
    inbox,
    published,
    beforeCommit: () => undefined,
    afterCommit: () => undefined,
    get reads() {
      return reads;
    },
    read: async (id) => fold(logOf(id)),
    async readToDecide(id) {
      reads += 1;
      return fold(logOf(id));
    },
    async commit(change) {
      const { id, before, event, time } = change;
      store.beforeCommit(change);
      const current = fold(logOf(id));
      if (current?.version !== before?.version) return { kind: "CONFLICT" };
      const logged = { subjectId: id, version: (before?.version ?? 0) + 1, time, event };
      const order = apply(before, logged);
      logs.set(id, [...logOf(id), logged]);
      if (change.inbox !== undefined) inbox.push(change.inbox);
      const eventId = uuid();
      published.push(eventId);
      await store.afterCommit(change);
      return { kind: "COMMITTED", after: order, eventId };
    },
    log: logOf,
    seed: (log) => void logs.set(log[0]?.subjectId ?? "", [...log]),
    async decide(id, command) {
      const before = store.must(id);
      const decision = decide(before, command);
      if (decision.kind !== "EVENT") throw new Error(`${command.kind} came to ${JSON.stringify(decision)}`);
      const time = new Date(before.updateTime.getTime() + 1000);
      logs.set(id, [...logOf(id), { subjectId: id, version: before.version + 1, time, event: decision.event }]);
    },
    must(id) {
      const order = fold(logOf(id));
      if (order === undefined) throw new Error(`order ${id} is not there`);
      return order;
    },
  };
  return store;
}
