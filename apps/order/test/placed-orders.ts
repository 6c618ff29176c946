import { expect } from "vitest";
import { rebuildOrders } from "../src/rebuild.ts";
import { asAdmin, asCustomer, type Fixture } from "./order-fixture.ts";

export const approved = "pm_test_approved";

/** Orders as far in their lives as the tests of a fixture begin with. */
export function placedOrders(fixture: Fixture) {
  /** An order as it is placed; the customer's own context with it. */
  async function place(o: { customer?: string; quantity?: number } = {}) {
    const customer = o.customer ?? fixture.customer();
    const context = asCustomer(customer);
    const items = [{ productId: fixture.product(), quantity: o.quantity ?? 2 }];
    const { order } = await fixture.gateway.createOrder({ items, paymentMethod: approved }, context);
    if (order === undefined) throw new Error("no order");
    return { id: order.id, order, context, customer };
  }

  /** An order that the saga has brought to rest. */
  async function settled() {
    const placed = await place();
    await fixture.deliver(placed.id);
    return placed;
  }

  async function shipped() {
    const placed = await settled();
    await fixture.gateway.shipOrder({ id: placed.id }, asAdmin());
    await fixture.deliver(placed.id);
    return placed;
  }

  const read = async (id: string) => (await fixture.gateway.getOrder({ id }, asAdmin())).order;

  return { place, settled, shipped, read };
}

/** After a test: the services behind work again, and the card is approved. */
export function restoreServices(fixture: Fixture): void {
  fixture.outside.interference = {};
  fixture.outside.card = "approved";
}

export async function closeAsLogged(fixture: Fixture): Promise<void> {
  // Whatever the tests did, each row is its log folded.
  expect((await rebuildOrders(fixture.database)).differences).toEqual([]);
  await fixture.close();
}
