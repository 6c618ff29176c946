import { Order_Status } from "@rialto/contracts";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asAdmin, asCustomer, type Calls, type Fixture, newKey, openFixture } from "./order-fixture.ts";

/** What happens to the list between two pages: an order is placed, or one of those that are there is cancelled. */
const changes = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("place" as const) }),
    fc.record({ kind: fc.constant("cancel" as const), at: fc.nat() }),
  ),
  { maxLength: 4 },
);
const runs = fc.record({
  orders: fc.integer({ min: 0, max: 12 }),
  pageSize: fc.integer({ min: 1, max: 5 }),
  between: fc.array(changes, { minLength: 15, maxLength: 15 }),
});

describe("paging over a list of orders that changes", () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture();
  });
  afterAll(() => fixture.close());

  async function place(customer: string): Promise<string> {
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const request = { items, paymentMethod: "pm_test_approved" };
    const { order } = await fixture.gateway.createOrder(request, asCustomer(customer), newKey());
    return order?.id ?? "";
  }

  async function pagesOf(
    filter: Parameters<Calls["listOrders"]>[0],
    between: (page: number) => Promise<void>,
  ): Promise<readonly string[]> {
    const seen: string[] = [];
    let pageToken = "";
    for (let page = 0; page === 0 || pageToken !== ""; page += 1) {
      const answer = await fixture.gateway.listOrders({ ...filter, pageToken }, asAdmin());
      seen.push(...answer.orders.map(({ id }) => id));
      pageToken = answer.nextPageToken;
      await between(page);
    }
    return seen;
  }

  it("never skips and never repeats an unchanged order while others are placed and cancelled", async () => {
    await fc.assert(
      fc.asyncProperty(runs, async ({ orders, pageSize, between }) => {
        const userId = fixture.customer();
        const there: string[] = [];
        for (let n = 0; n < orders; n += 1) there.push(await place(userId));
        const seen = await pagesOf({ userId, pageSize }, async (page) => {
          for (const change of between[page] ?? []) {
            if (change.kind === "place") await place(userId);
            else if (there.length > 0) await cancel(there[change.at % there.length] ?? "");
          }
        });
        expect(new Set(seen).size).toBe(seen.length);
        // All were there before the first page was asked for, and a change of status takes none out of this list.
        expect(seen.filter((id) => there.includes(id))).toEqual([...there].sort().reverse());
      }),
      { numRuns: 25 },
    );
  });

  it("holds for a filtered list too, out of which orders fall", async () => {
    await fc.assert(
      fc.asyncProperty(runs, async ({ orders, pageSize, between }) => {
        const userId = fixture.customer();
        const there: string[] = [];
        const fallen = new Set<string>();
        for (let n = 0; n < orders; n += 1) there.push(await place(userId));
        const seen = await pagesOf({ userId, pageSize, status: Order_Status.PENDING }, async (page) => {
          for (const change of between[page] ?? []) {
            const id = change.kind === "cancel" ? there[change.at % Math.max(1, there.length)] : undefined;
            if (change.kind === "place") await place(userId);
            if (id === undefined) continue;
            await cancel(id);
            fallen.add(id);
          }
        });
        expect(new Set(seen).size).toBe(seen.length);
        const stood = [...there]
          .sort()
          .reverse()
          .filter((id) => !fallen.has(id));
        expect(seen.filter((id) => there.includes(id) && !fallen.has(id))).toEqual(stood);
      }),
      { numRuns: 25 },
    );
  });

  /** Cancels an order, unless it is already. */
  async function cancel(id: string): Promise<void> {
    const { order } = await fixture.gateway.getOrder({ id }, asAdmin());
    if (order?.status !== Order_Status.PENDING) return;
    await fixture.gateway.cancelOrder({ id }, asAdmin());
    await fixture.deliver(id);
  }
});
