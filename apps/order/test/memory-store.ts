import { apply, fold, type LoggedEvent, type Order } from "../src/order/state.ts";
import type { Change, Committed, InboxEntry } from "../src/order/store.ts";
import { type Command, decide } from "../src/order/transitions.ts";

/** Orders in memory, committed at the version they were decided on, as the real store does. */
export interface MemoryStore {
  read(id: string): Promise<Order | undefined>;
  commit(change: Change): Promise<Committed>;
  /** Set by tests to get in the way of commits. */
  beforeCommit: (change: Change) => void;
  readonly inbox: readonly InboxEntry[];
  log(id: string): readonly LoggedEvent[];
  seed(log: readonly LoggedEvent[]): void;
  /** Commits what a person, or a payment, says about an order. */
  tell(id: string, command: Command): Promise<void>;
  must(id: string): Order;
}

export function memoryStore(): MemoryStore {
  const logs = new Map<string, LoggedEvent[]>();
  const inbox: InboxEntry[] = [];
  const logOf = (id: string) => logs.get(id) ?? [];
  const store: MemoryStore = {
    inbox,
    beforeCommit: () => undefined,
    read: async (id) => fold(logOf(id)),
    async commit(change) {
      const { orderId, before, event, time } = change;
      store.beforeCommit(change);
      const current = fold(logOf(orderId));
      if (current?.version !== before?.version) return { kind: "CONFLICT" };
      const logged = { orderId, version: (before?.version ?? 0) + 1, time, event };
      const order = apply(before, logged);
      logs.set(orderId, [...logOf(orderId), logged]);
      if (change.inbox !== undefined) inbox.push(change.inbox);
      return { kind: "COMMITTED", order };
    },
    log: logOf,
    seed: (log) => void logs.set(log[0]?.orderId ?? "", [...log]),
    async tell(id, command) {
      const before = store.must(id);
      const answer = decide(before, command);
      if (answer.kind !== "EVENT") throw new Error(`${command.kind} came to ${JSON.stringify(answer)}`);
      const time = new Date(before.updateTime.getTime() + 1000);
      logs.set(id, [...logOf(id), { orderId: id, version: before.version + 1, time, event: answer.event }]);
    },
    must(id) {
      const order = fold(logOf(id));
      if (order === undefined) throw new Error(`order ${id} is not there`);
      return order;
    },
  };
  return store;
}
