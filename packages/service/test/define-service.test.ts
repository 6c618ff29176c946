import { OrderService, UserService } from "@rialto/contracts";
import type { Client } from "@rialto/rpc";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { App } from "../src/app.ts";
import { readConfig } from "../src/config/config.ts";
import { flag } from "../src/config/kinds.ts";
import { variable } from "../src/config/variable.ts";
import { defineService } from "../src/define-service.ts";
import { every } from "../src/schedules/schedule.ts";

const migrations = new URL("file:///nowhere/");

describe("defineService", () => {
  it("gives calls as typed clients and merges what the service owns into its app", async () => {
    const seen: unknown[] = [];
    const definition = defineService({
      name: "order",
      migrations,
      extraSchemas: [{ name: "ledger", migrations }],
      calls: { users: UserService, orders: OrderService },
      setup: async (app) => {
        expectTypeOf(app.calls.users).toEqualTypeOf<Client<typeof UserService>>();
        return { store: { size: 3 } };
      },
      rpc: (app) => {
        expectTypeOf(app.store.size).toBeNumber();
        expectTypeOf(app.calls.orders).toEqualTypeOf<Client<typeof OrderService>>();
        seen.push(app.store.size);
        return [];
      },
      seed: async (app) => {
        seen.push(app.store);
      },
      stop: async (app) => {
        expectTypeOf(app.store).toEqualTypeOf<{ size: number }>();
        seen.push("stopped");
      },
    });
    const open = await definition.open(bareApp());
    await open.seed();
    await open.stop();
    expect(seen).toEqual([3, { size: 3 }, "stopped"]);
    expect(definition.schemas.map((schema) => schema.name)).toEqual(["order", "ledger"]);
  });

  it("gives the values of the variables that the service declares, beside those of every process", async () => {
    const seen: unknown[] = [];
    const definition = defineService({
      name: "product",
      migrations,
      config: { demo: variable("RIALTO_DEMO", flag, { default: true }) },
      calls: {},
      setup: ({ config }) => {
        expectTypeOf(config.demo).toBeBoolean();
        seen.push(config.demo, config.production);
        return {};
      },
      rpc: () => [],
    });
    await definition.open(bareApp());
    expect(seen).toEqual([false, false]);
  });

  it("asks for no more than a name, migrations, calls and routes", async () => {
    const definition = defineService({
      name: "product",
      migrations,
      calls: {},
      rpc: (app) => {
        expectTypeOf(app.name).toBeString();
        return [];
      },
    });
    const open = await definition.open(bareApp());
    await open.seed();
    await open.stop();
    expect(open).toMatchObject({ routes: [], subscriptions: [], schedules: [] });
  });
});

describe("every", () => {
  const nothing = async () => undefined;

  it("takes an interval in words or in milliseconds", () => {
    const intervals = ["500ms", "10s", "5m", "1h", 250].map((interval) => every(interval, "tidy", nothing).intervalMs);
    expect(intervals).toEqual([500, 10_000, 300_000, 3_600_000, 250]);
  });

  it("refuses what is no interval", () => {
    expect(() => every("10 seconds", "tidy", nothing)).toThrow('"10 seconds" is no interval');
  });
});

/** As much of an app as opening needs. */
function bareApp(): App {
  return { name: "order", calls: {}, config: readConfig({ RIALTO_DEMO: "no" }) } as App;
}
