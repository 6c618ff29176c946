import { describe, expect, it } from "vitest";
import {
  AuditService,
  DeadLetterService,
  NotificationService,
  OrderService,
  PaymentService,
} from "../../packages/contracts/src/index.ts";
import { ProductService } from "../../packages/contracts/src/product.ts";
import { UserService } from "../../packages/contracts/src/user.ts";
import { callsInTurn, callsOf } from "../grown/calls.ts";
import { plansIn } from "../grown/plans.ts";
import { exceededBy } from "../grown/table.ts";

const known = {
  ...{ common: "c", rare: "r", orderId: "o", paymentId: "p", productId: "t", actor: "admin:a" },
  deep: { order: "1", user: "2", product: "3" },
};

describe("the calls that are measured", () => {
  const lists = [
    ...[
      OrderService,
      PaymentService,
      NotificationService,
      ProductService,
      UserService,
      AuditService,
      DeadLetterService,
    ],
  ].flatMap(({ methods }) => methods.filter(({ name }) => /^List/.test(name)));

  it.each(lists.map((method) => [method.name, method] as const))("have every filter of %s", (name, { input }) => {
    const paging = new Set(["pageSize", "pageToken"]);
    // An admin cannot ask by these without knowing more than the tables say; each has a test of its own.
    const others = new Set(["startTime", "endTime", "subscription"]);
    const filters = input.fields.map(({ jsonName }) => jsonName).filter((field) => !paging.has(field));
    const paths = callsOf(known)
      .filter((call) => call.name.startsWith(name))
      .map(({ path }) => path);
    expect(paths.length).toBeGreaterThan(0);
    if (name === "ListOrderEvents") return;
    for (const filter of filters.filter((field) => !others.has(field)))
      expect(
        paths.some((path) => new RegExp(`[?&]${filter}=.`).test(path)),
        filter,
      ).toBe(true);
  });
});

describe("callsInTurn", () => {
  it("makes a call that names a customer of each of them, and the others as they are", () => {
    const calls = callsInTurn(known, { ...known, rare: "s" });
    const pathsOf = (name: string) => new Set(calls.find((call) => call.name === name)?.paths);
    expect([...pathsOf("ListOrders rare user")].map((path) => /userId=(.)/.exec(path)?.[1])).toEqual(["r", "s"]);
    expect(pathsOf("ListOrders common user").size).toBe(1);
  });
});

describe("plansIn", () => {
  it("finds the plans in a server's log, with what each statement touches", () => {
    const log = [
      "2026-11-27 09:00:00.000 UTC [7] LOG:  checkpoint starting: time",
      "2026-11-27 09:00:00.000 UTC [8] LOG:  duration: 0.103 ms  plan:",
      "\t{",
      '\t  "Query Text": "insert into t\\n  select 1",',
      '\t  "Plan": { "Node Type": "ModifyTable", "Relation Name": "t", "Actual Rows": 0,',
      '\t    "Shared Hit Blocks": 5, "Shared Read Blocks": 2, "Plans": [',
      '\t      { "Node Type": "Index Scan", "Index Searches": 3, "Actual Rows": 2, "Shared Hit Blocks": 4, "Shared Read Blocks": 0 }] }',
      "\t}",
      "2026-11-27 09:00:00.000 UTC [7] LOG:  checkpoint complete",
      "2026-11-27 09:00:00.000 UTC [8] LOG:  duration: 0.103 ms  plan:",
      "\t{",
      '\t  "Query Text": "cut off",',
      "",
    ].join("\n");
    expect(plansIn(log)).toEqual([
      { statement: "insert into t select 1", buffers: 7, searches: 3, written: ["t", "t"] },
    ]);
  });
});

describe("exceededBy", () => {
  const small = { call: "GetOrder", buffers: 4, indexes: 1, p50Ms: 1, p99Ms: 2 };

  it("allows two more pages for each index, and as much time as the machine's noise", () => {
    expect(exceededBy({ small, large: { ...small, buffers: 6, p50Ms: 1.3, p99Ms: 4 } })).toEqual([]);
    expect(exceededBy({ small, large: { ...small, buffers: 7, p50Ms: 1.4, p99Ms: 4.1 } })).toEqual([
      "buffers",
      "p50",
      "p99",
    ]);
  });
});
