import { createHash } from "node:crypto";
import { v7 } from "uuid";
import type { Decision, IdempotencyKey } from "../../src/index.ts";

export const rowColumns = {
  status: "smallint",
  customer: "text",
  total: "bigint",
  items: "jsonb",
  time: "timestamptz",
} as const;

export interface Changes {
  id?: string;
  expected?: number;
  key?: IdempotencyKey;
  total?: string;
  payload?: Decision["event"]["payload"];
  eventId?: string;
  inbox?: Decision["inbox"];
  message?: Decision["message"] | "none";
}

export function decision(o: Changes = {}): Decision {
  const id = o.id ?? v7();
  const time = "2026-11-24T12:00:00.000Z";
  const event = {
    id: o.eventId ?? v7(),
    type: "CHANGED",
    payload: o.payload ?? { what: "changed" },
    actor: "customer:1",
    reason: "test",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    time,
  };
  return {
    id,
    expected: o.expected ?? 0,
    row: { status: 1, customer: "customer", total: o.total ?? "9007199254740993", items: [{ quantity: 1 }], time },
    event,
    message: o.message === "none" ? undefined : (o.message ?? { topic: "thing.changed", payload: { id } }),
    key: o.key,
    response: o.key && { id, answered: event.id },
    inbox: o.inbox,
  };
}

export function keyOf(key: string, request = "a request"): IdempotencyKey {
  return {
    caller: "customer:1",
    method: "CreateThing",
    key,
    fingerprint: createHash("sha256").update(request).digest("hex"),
  };
}
