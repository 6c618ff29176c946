import postgres from "postgres";
import type { Json } from "./rest-client.ts";

/** One entry of the card network's ledger. */
export interface Effect {
  readonly kind: "AUTHORIZE" | "CAPTURE" | "VOID" | "REFUND";
  readonly approved: boolean;
  readonly amount: bigint;
}

/** The card network's ledger and the event log, read directly, bypassing the services. Amounts are in minor units. */
export interface Ledger {
  effects(orderId: string): Promise<Effect[]>;
  /** The authorized amount that was not released. */
  held(orderId: string): Promise<bigint>;
  /** The captured amount that was not refunded. */
  taken(orderId: string): Promise<bigint>;
  /** The number of approved effects of a kind for these orders. */
  count(kind: Effect["kind"], orders: readonly Json[]): Promise<number>;
  close(): Promise<void>;
}

export function openLedger(databaseUrl: string): Ledger {
  const sql = postgres(databaseUrl, { max: 2, types: { bigint: postgres.BigInt } });
  const sum = (effects: Effect[], kind: Effect["kind"]) =>
    effects.filter((e) => e.kind === kind && e.approved).reduce((total, e) => total + e.amount, 0n);
  const effects = (orderId: string) => sql<Effect[]>`
    select kind, outcome = 'APPROVED' as approved, amount from card_network.entry
    where order_reference = ${orderId} order by create_time`;
  return {
    effects,
    async held(orderId) {
      const all = await effects(orderId);
      return all.some(({ kind, approved }) => kind === "VOID" && approved) ? 0n : sum(all, "AUTHORIZE");
    },
    async taken(orderId) {
      const all = await effects(orderId);
      return sum(all, "CAPTURE") - sum(all, "REFUND");
    },
    async count(kind, orders) {
      const [row] = await sql<{ n: number }[]>`
        select count(*)::int as n from card_network.entry
        where kind = ${kind} and outcome = 'APPROVED' and order_reference = any (${orders.map(({ id }) => id)})`;
      return row?.n ?? 0;
    },
    close: () => sql.end({ timeout: 1 }),
  };
}
