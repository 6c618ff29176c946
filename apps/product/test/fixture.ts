import { InventoryService, ProductService } from "@rialto/contracts";
import {
  backgroundContext,
  CallError,
  callErrors,
  createClient,
  createEndpoint,
  type PropagatedContext,
  reasonOf,
  type UserId,
} from "@rialto/rpc";
import { type App, readConfig } from "@rialto/service";
import type { Metrics } from "@rialto/telemetry";
import { quietLogger, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { product as service } from "../src/service.ts";

/** The product service on its own database, called through its endpoint. */
export type Fixture = Awaited<ReturnType<typeof openFixture>>;

export async function openFixture() {
  const db = await testDatabase({ schemas: service.schemas });
  const { sql } = db.database("product");
  const closing: (() => Promise<void>)[] = [];

  /** Starts a process of the service. All processes share the database. */
  async function start(env: Readonly<Record<string, string>> = {}, metrics?: Metrics) {
    const app: App = {
      ...{ name: "product", calls: {}, database: db.database("product"), config: readConfig(env), log: quietLogger },
      extra: (name) => db.database(name),
      derivedKey: (purpose) => purpose,
      now: () => new Date(),
      wakeRelay: () => undefined,
      addStartupNotice: () => undefined,
      metrics,
    };
    const open = await service.open(app);
    closing.push(() => open.stop());
    const endpoint = createEndpoint({
      service: "product",
      routes: open.routes,
      verifier: { user: userOf, service: async (name) => ({ name }) },
      fingerprintKey: "a key for tests",
      log: quietLogger,
    });
    const clientsOf = (caller: string) => {
      const names = { caller, target: "product", tokens: { for: async () => caller } };
      const target = { kind: "local", endpoint: () => endpoint, checksMessages: true } as const;
      return {
        products: createClient(ProductService, target, names),
        stock: createClient(InventoryService, target, names),
      };
    };
    return { gateway: clientsOf("gateway"), order: clientsOf("order"), seed: open.seed };
  }

  const first = await start();

  return {
    ...first,
    start,
    sql,
    /** Of the database, as the service's role. */
    url: db.urlOf("product"),
    /** Creates a product with this stock and returns its id. */
    async product(
      o: { stock?: number; name?: string; description?: string; category?: string; active?: boolean } = {},
    ) {
      const { stock = 0, name = "Teapot", description = "", category = "Kitchen", active = true } = o;
      const price = { currencyCode: "EUR", minorUnits: 1250n };
      const { product } = await first.gateway.products.createProduct(
        { product: { name, description, category, price, active } },
        admin(),
      );
      const id = product?.id ?? "";
      if (stock > 0)
        await first.gateway.stock.adjustStock({ productId: id, delta: stock, reason: "delivery" }, admin(), {
          idempotencyKey: uuidv7(),
        });
      return id;
    },
    /** "on hand / reserved / available". */
    async stockOf(productId: string): Promise<string> {
      const { stock } = await first.gateway.stock.getStock({ productId }, admin());
      return `${stock?.onHand} / ${stock?.reserved} / ${stock?.available}`;
    },
    /** Products whose stock does not match the reservations and adjustments in the tables. */
    async discrepancies(): Promise<readonly string[]> {
      const rows = await sql<{ product_id: string }[]>`
        with promised as (
          select (item->>'productId')::uuid as product_id,
            coalesce(sum((item->>'quantity')::int) filter (where state = 'RESERVED'), 0) as reserved,
            coalesce(sum((item->>'quantity')::int) filter (where state = 'COMMITTED'), 0) as shipped
          from reservation, jsonb_array_elements(items) item group by 1),
        taken_in as (select product_id, sum(delta) as received from adjustment group by 1)
        select s.product_id from stock s
          left join promised p on p.product_id = s.product_id left join taken_in t on t.product_id = s.product_id
        where s.reserved <> coalesce(p.reserved, 0) or s.shipped <> coalesce(p.shipped, 0)
          or s.received <> coalesce(t.received, 0) or s.on_hand + s.shipped <> s.received`;
      return rows.map((row) => row.product_id);
    },
    async close() {
      await Promise.all(closing.map((close) => close()));
      await db.close();
    },
  };
}

export function anonymous(): PropagatedContext {
  return backgroundContext({ timeoutMs: 20_000 });
}

export function as(role: "CUSTOMER" | "ADMIN", userId: string = uuidv7()): PropagatedContext {
  return { ...anonymous(), userToken: `${role}.${userId}` };
}

export const admin = () => as("ADMIN");

/** The reason that a call is refused with; "none" if it succeeds. */
export function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "none",
    (error: unknown) => reasonOf(error) ?? String(error),
  );
}

async function userOf(token: string) {
  const [role, userId] = token.split(".");
  if (role !== "CUSTOMER" && role !== "ADMIN") throw new CallError(callErrors.TOKEN_INVALID);
  return { role, userId: userId as UserId, sessionId: "s" } as const;
}
