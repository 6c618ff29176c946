import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type BatchReserveStockRequestSchema,
  BatchReserveStockResponseSchema,
  ProductErrorReason,
  type ReservationOutcomeSchema,
  ReserveStockResponseSchema,
} from "@rialto/contracts";
import { backgroundContext, CallError, callErrors, isUnavailable, reasonOf } from "@rialto/rpc";
import { describe, expect, it } from "vitest";
import { reserveTogether } from "../src/checkout/reserve-together.ts";
import { checkout } from "../src/checkout/steps.ts";
import { logTo, orderFrom } from "./builders.ts";
import { down, refusal } from "./fake-services.ts";

type BatchRequest = MessageInitShape<typeof BatchReserveStockRequestSchema>;
type Outcome = MessageInitShape<typeof ReservationOutcomeSchema>;

/** A product service that answers a batch as the test says, and single requests by its stock. */
function productService(answer: (orderIds: readonly string[]) => Promise<readonly Outcome[]> | readonly Outcome[]) {
  const batches: BatchRequest[] = [];
  const alone: string[] = [];
  const short = new Set<string>();
  return {
    batches,
    alone,
    /** Orders that are refused when they are asked for alone. */
    short,
    calls: {
      async batchReserveStock(request: BatchRequest) {
        batches.push(request);
        const ids = (request.reservations ?? []).map(({ reservation }) => reservation?.orderId ?? "");
        return create(BatchReserveStockResponseSchema, { outcomes: [...(await answer(ids))] });
      },
      async reserveStock({ orderId = "" }: { readonly orderId?: string }) {
        alone.push(orderId);
        if (short.has(orderId)) throw refusal("OUT_OF_STOCK");
        return create(ReserveStockResponseSchema);
      },
    },
  };
}

const context = (traceparent = "") => ({ ...backgroundContext({}), traceparent });
const items = [{ productId: "p", quantity: 1 }];
const reserved = (orderId: string): Outcome => ({ orderId, reserved: true });

/** How the reservation of each order ended: "reserved", the reason of its refusal, or "unknown". */
async function endsOf(reserve: ReturnType<typeof reserveTogether>, orders: readonly string[]): Promise<string[]> {
  const ended = await Promise.allSettled(
    orders.map((orderId) => reserve({ orderId, items }, context(`of ${orderId}`))),
  );
  return ended.map((end) => {
    if (end.status === "fulfilled") return "reserved";
    return isUnavailable(end.reason) ? "unknown" : (reasonOf(end.reason) ?? String(end.reason));
  });
}

describe("reservations that wait together", () => {
  it("travel in few calls, each under the trace of its order", async () => {
    const service = productService((ids) => ids.map(reserved));
    const orders = Array.from({ length: 20 }, (_, n) => `order ${n}`);
    expect(new Set(await endsOf(reserveTogether(service.calls), orders))).toEqual(new Set(["reserved"]));
    expect(service.alone).toEqual([]);
    expect(service.batches.length).toBeLessThanOrEqual(2);
    const traces = service.batches.flatMap(({ reservations = [] }) => reservations.map((one) => one.traceparent));
    expect([...traces].sort()).toEqual(orders.map((id) => `of ${id}`).sort());
  });

  it("of more orders than a call takes need another call", async () => {
    const service = productService((ids) => ids.map(reserved));
    const orders = Array.from({ length: 300 }, (_, n) => `order ${n}`);
    expect(new Set(await endsOf(reserveTogether(service.calls), orders))).toEqual(new Set(["reserved"]));
    expect(Math.max(...service.batches.map(({ reservations = [] }) => reservations.length))).toBe(64);
  });

  it("of one order are the call for one order", async () => {
    const service = productService((ids) => ids.map(reserved));
    expect(await endsOf(reserveTogether(service.calls), ["a"])).toEqual(["reserved"]);
    expect(service).toMatchObject({ alone: ["a"], batches: [] });
  });

  it("get the outcome with their order's id, in whatever order they come", async () => {
    const refused: Outcome = { orderId: "b", refusal: ProductErrorReason.OUT_OF_STOCK };
    const service = productService((ids) => ids.map((id) => (id === "b" ? refused : reserved(id))).toReversed());
    const ends = await endsOf(reserveTogether(service.calls), ["a", "b", "c", "d"]);
    expect(ends).toEqual(["reserved", "OUT_OF_STOCK", "reserved", "reserved"]);
  });

  it("are decided as a refusal of a call for one order would be", async () => {
    const [step] = checkout;
    const order = orderFrom(logTo.PENDING);
    for (const reason of ["OUT_OF_STOCK", "QUANTITY_LIMIT", "PRODUCT_NOT_FOUND", "RESERVATION_RELEASED"] as const) {
      const service = productService((ids) => ids.map((orderId) => ({ orderId, refusal: ProductErrorReason[reason] })));
      const [end = ""] = await endsOf(reserveTogether(service.calls), ["a", "b"]);
      expect(end).toBe(reason);
      expect(step?.onRefused(end, order)).toBeDefined();
    }
  });

  it("are asked for alone where the answer leaves them out, and their own refusal stands", async () => {
    const service = productService((ids) => ids.filter((id) => id === "a").map(reserved));
    service.short.add("c");
    expect(await endsOf(reserveTogether(service.calls), ["a", "b", "c"])).toEqual([
      "reserved",
      "reserved",
      "OUT_OF_STOCK",
    ]);
    expect(service.alone.length).toBeLessThanOrEqual(2);
    expect(service.alone).toEqual(expect.arrayContaining(["b", "c"]));
  });

  it("are asked for alone where the outcome says neither that it is reserved nor why not", async () => {
    // As from a newer product service, whose reasons this version does not know.
    const newer = 4_711 as ProductErrorReason;
    const none = ProductErrorReason.PRODUCT_ERROR_REASON_UNSPECIFIED;
    const service = productService((ids) =>
      ids.map((orderId) => ({ orderId, refusal: orderId === "a" ? none : newer })),
    );
    expect(await endsOf(reserveTogether(service.calls), ["a", "b", "c"])).toEqual(["reserved", "reserved", "reserved"]);
    expect(service.alone).toHaveLength(3);
  });

  it("have an unknown outcome, all of them, where the product service is down", async () => {
    const service = productService(() => {
      throw down();
    });
    expect(await endsOf(reserveTogether(service.calls), ["a", "b", "c"])).toEqual(["unknown", "unknown", "unknown"]);
    expect(service.alone).toEqual([]);
  });

  it.each([
    ["does not know the call yet", callErrors.METHOD_UNKNOWN],
    ["refuses it because of one of them", callErrors.INVALID_REQUEST],
  ])("are asked for one by one where the product service %s", async (_, error) => {
    const service = productService(() => {
      throw new CallError(error, { remote: true });
    });
    service.short.add("b");
    const ends = await endsOf(reserveTogether(service.calls), ["a", "b", "c"]);
    expect(ends).toEqual(["reserved", "OUT_OF_STOCK", "reserved"]);
  });

  it("are waited for until the caller's own signal aborts", async () => {
    const answer = Promise.withResolvers<readonly Outcome[]>();
    const service = productService(() => answer.promise);
    const reserve = reserveTogether(service.calls);
    const leaving = new AbortController();
    const gone = reserve({ orderId: "a", items }, { ...context(), signal: leaving.signal });
    const [stays, too] = ["b", "c"].map((orderId) => reserve({ orderId, items }, context()));
    await Promise.resolve();
    leaving.abort(new Error("left"));
    await expect(gone).rejects.toThrow("left");
    answer.resolve(["a", "b", "c"].map(reserved));
    await Promise.all([stays, too]);
  });
});
