import { fromJson, toJson } from "@bufbuild/protobuf";
import { type InventoryService, StockSchema } from "@rialto/contracts";
import { type Database, once, recordAudit } from "@rialto/database";
import { auditChanges, auditOf, CallError, callerName, type Handlers } from "@rialto/rpc";
import { v7 as uuid } from "uuid";
import { errors } from "../errors.ts";
import { isVisible } from "../product/state.ts";
import { insertAdjustment, type ProductStore } from "../product/store.ts";
import { stockMessage } from "../stock/message.ts";
import type { StockOutcome } from "../stock/state.ts";
import { applyDecisions, readStock, type StockStore } from "../stock/store.ts";

interface Parts {
  readonly database: Database;
  readonly products: ProductStore;
  readonly stock: StockStore;
}

/** The RPC handlers of the stock. */
export function inventory({ database, products, stock }: Parts): Handlers<typeof InventoryService> {
  return {
    async adjustStock({ productId, delta, reason }, ctx) {
      if (ctx.idempotencyKey === undefined) throw new CallError(errors.ADJUSTMENT_KEY_REQUIRED);
      const answer = await once(database.sql, ctx.idempotencyKey, async (tx) => {
        const [outcome] = await applyDecisions(tx, [{ kind: "adjust", productId, delta }]);
        requireDone(outcome);
        const actor = callerName(ctx.caller);
        await insertAdjustment(tx, { id: uuid(), productId, delta, reason, actor, time: ctx.now });
        const [after] = await readStock(tx, [productId]);
        if (after === undefined) throw new CallError(errors.PRODUCT_NOT_FOUND);
        const before = { ...after, onHand: after.onHand - delta };
        const changes = auditChanges(before, after, { on_hand: ({ onHand }) => onHand });
        await recordAudit(tx, auditOf(ctx, { subject: `product:${productId}`, changes }));
        return toJson(StockSchema, stockMessage(after));
      });
      return { stock: fromJson(StockSchema, answer) };
    },

    async reserveStock({ orderId, items, userId: givenId }, ctx) {
      const requested = items.map((item) => ({ productId: item.productId, quantity: item.quantity }));
      const userId = givenId === "" ? undefined : givenId;
      const outcome = await stock.decide({ kind: "reserve", orderId, items: requested, userId }, ctx);
      requireDone(userId === undefined ? asVersion01(outcome) : outcome);
      return {};
    },

    async releaseStock({ orderId }, ctx) {
      requireDone(await stock.decide({ kind: "release", orderId }, ctx));
      return {};
    },

    async commitStock({ orderId }, ctx) {
      requireDone(await stock.decide({ kind: "commit", orderId }, ctx));
      return {};
    },

    async getStock({ productId }, { caller }) {
      const [[product], found] = await Promise.all([products.byIds([productId]), stock.read(productId)]);
      if (product === undefined || found === undefined || !isVisible(product, caller))
        throw new CallError(errors.PRODUCT_NOT_FOUND);
      return { stock: stockMessage(found) };
    },
  };
}

/** The outcome for an order service of version 0.1, which treats an unknown reason as a defect. */
function asVersion01(outcome: StockOutcome): StockOutcome {
  if (outcome.kind === "DONE" || outcome.reason !== "QUANTITY_LIMIT") return outcome;
  return { ...outcome, reason: "OUT_OF_STOCK" };
}

function requireDone(outcome: StockOutcome | undefined): void {
  if (outcome?.kind === "REFUSED") throw refusalOf(outcome);
}

function refusalOf({ reason, productId }: Extract<StockOutcome, { kind: "REFUSED" }>): CallError {
  return new CallError(errors[reason], productId === undefined ? {} : { metadata: { product_id: productId } });
}
