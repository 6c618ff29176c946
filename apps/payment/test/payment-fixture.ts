import { PaymentService } from "@rialto/contracts";
import {
  backgroundContext,
  CallError,
  type Client,
  callErrors,
  createClient,
  createEndpoint,
  type Endpoint,
  type PropagatedContext,
  reasonOf,
  serve,
  type UserId,
} from "@rialto/rpc";
import { quietLogger, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { createPaymentStore, type PaymentStore } from "../src/payment/store.ts";
import type { PaymentProvider } from "../src/provider/provider.ts";
import { createSimulatedProvider } from "../src/provider/simulated.ts";
import type { CountOperation } from "../src/requests/operation-metrics.ts";
import { createOperations, type Operations } from "../src/requests/operations.ts";
import { payments } from "../src/requests/payments.ts";
import { createRefunds } from "../src/requests/refunds.ts";
import { payment as service } from "../src/service.ts";

/**
 * The payment service on a database of its own, called through its endpoint, beside the card network whose ledger is
 * compared with it.
 */
export type Fixture = Awaited<ReturnType<typeof openFixture>>;

type Calls = Client<typeof PaymentService>;

export const customerId = uuidv7();

/** A process of the service. `provider` lets a test stand between the service and the card network. */
export interface Process {
  /** As the order service, which asks for payments. */
  readonly calls: Calls;
  /** As people, through the gateway. */
  readonly gateway: Calls;
  readonly operations: Operations;
  readonly store: PaymentStore;
}

export async function openFixture() {
  const db = await testDatabase({ schemas: service.schemas });
  const database = db.database("payment");
  const network = db.database("card_network").sql;
  const closing: (() => Promise<void>)[] = [];
  let clockMs = 0;
  const now = () => new Date(Date.now() + clockMs);

  /** Starts a process of the service; all of them share the database and the network. */
  function start(
    between: (provider: PaymentProvider) => PaymentProvider = (provider) => provider,
    count?: CountOperation,
  ): Process {
    const simulated = createSimulatedProvider({ sql: network, log: quietLogger });
    const provider = between(simulated);
    const store = createPaymentStore({ database, onCommitted: () => undefined });
    const operations = createOperations({ store, provider, now, log: quietLogger, count });
    simulated.onResult(operations.recordLate);
    const refunds = createRefunds({ database, store, operations, now });
    const endpoint = createEndpoint({
      service: "payment",
      routes: [serve(PaymentService, payments({ payments: store, operations, refunds, now }))],
      verifier: { user: personOf, service: async (name) => ({ name }) },
      fingerprintKey: "a key for tests",
      log: quietLogger,
    });
    closing.push(async () => {
      await simulated.close();
      await store.close();
    });
    return {
      calls: clientOf(() => endpoint, "order"),
      gateway: clientOf(() => endpoint, "gateway"),
      operations,
      store,
    };
  }

  return {
    ...start(),
    start,
    database,
    /** The superuser's way, to damage what the service itself may not. */
    superuser: db.sql,
    /** Lets time pass for the sweeper. */
    async passTime(ms: number): Promise<void> {
      clockMs += ms;
      await database.sql`update payment set next_attempt_time = next_attempt_time - ${ms} * interval '1 millisecond'`;
    },
    /** What the card network did for an order, in its own words: "AUTHORIZE 500", "CAPTURE DECLINED". */
    async ledger(orderId: string): Promise<string[]> {
      const rows = await network<{ kind: string; outcome: string; amount: bigint }[]>`
        select kind, outcome, amount from entry where order_reference = ${orderId} order by create_time, key`;
      return rows.map(({ kind, outcome, amount }) => `${kind} ${outcome === "APPROVED" ? amount : outcome}`);
    },
    /** The money that the network took for an order, less what it gave back, and what it still holds. */
    async money(orderId: string): Promise<{ kept: bigint; held: boolean }> {
      const [row] = await network<{ kept: bigint; held: boolean }[]>`
        select coalesce(sum(case kind when 'CAPTURE' then amount when 'REFUND' then -amount else 0 end), 0)::bigint as kept,
               coalesce(bool_or(kind = 'AUTHORIZE') and not bool_or(kind in ('VOID', 'CAPTURE')), false) as held
        from entry where order_reference = ${orderId} and outcome = 'APPROVED'`;
      return row ?? { kept: 0n, held: false };
    },
    async close() {
      await Promise.all(closing.map((close) => close()));
      await db.close();
    },
  };
}

export function fromOrder(): PropagatedContext {
  return backgroundContext({ timeoutMs: 20_000 });
}

export function as(role: "CUSTOMER" | "ADMIN", userId: string): PropagatedContext {
  return { ...backgroundContext({ timeoutMs: 20_000 }), userToken: `${role}.${userId}` };
}

/** The reason that a call is refused with; "none" where it is not. */
export function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "none",
    (error: unknown) => reasonOf(error) ?? String(error),
  );
}

export const admin = () => as("ADMIN", uuidv7());

export function authorization(o: { orderId?: string; method?: string; minorUnits?: bigint; userId?: string } = {}) {
  return {
    orderId: o.orderId ?? uuidv7(),
    userId: o.userId ?? customerId,
    amount: { currencyCode: "EUR", minorUnits: o.minorUnits ?? 500n },
    paymentMethod: o.method ?? "pm_test_approved",
  };
}

async function personOf(token: string) {
  const [role, userId] = token.split(".");
  if (role !== "CUSTOMER" && role !== "ADMIN") throw new CallError(callErrors.TOKEN_INVALID);
  return { role, userId: userId as UserId, sessionId: "s" } as const;
}

function clientOf(endpoint: () => Endpoint, caller: string): Calls {
  const names = { caller, target: "payment", tokens: { for: async () => caller } };
  return createClient(PaymentService, { kind: "local", endpoint, checksMessages: true }, names);
}
