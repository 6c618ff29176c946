import { backgroundContext } from "@rialto/rpc";
import { type Checkout, createCheckout } from "../src/checkout/advance.ts";
import { orderId } from "./builders.ts";
import { type FakeServices, fakeServices } from "./fake-services.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";

export const context = backgroundContext({});
export const now = () => new Date(Date.UTC(2026, 0, 2));
export const quantity = 2;
export const stocked = 10;

interface State {
  readonly services: FakeServices;
  readonly store: MemoryStore;
  readonly saga: Checkout;
}

/** A checkout with an empty store, and services in memory that have the stock for it. */
export function openCheckout(): State {
  const services = fakeServices({ available: stocked });
  const store = memoryStore();
  return { services, store, saga: createCheckout({ orders: store, calls: services.calls, now }) };
}

/** What tests do with an order and ask of it, in the services and the store that they have at that time. */
export function checkoutWith(state: () => State) {
  const advance = () => state().saga.advance(orderId, { context });
  const order = () => state().store.must(orderId);
  const snapshot = () => ({
    ...state().services.holdings(orderId),
    available: state().services.available(),
    effects: [...state().services.effects],
  });

  /** Whether an order that ended without being shipped has left anything behind. */
  function isClean(): boolean {
    const { reservation, payment } = state().services.holdings(orderId);
    const holdsNothing = reservation !== "RESERVED" && payment !== "AUTHORIZED";
    return holdsNothing && state().services.available() === stocked;
  }

  /** What a person does about an order that waits: gives back what was captured, and cancels. */
  async function settle(): Promise<void> {
    state().services.interference = {};
    const { captured, refunded } = order();
    if (refunded < captured) {
      state().services.refund(orderId);
      await state().store.decide(orderId, { kind: "recordRefund", captured, refunded: captured });
    }
    await state().store.decide(orderId, { kind: "settleByCancel" });
    await advance();
  }

  return { advance, order, snapshot, isClean, settle };
}
