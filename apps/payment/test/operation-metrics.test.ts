import { recordMetrics } from "@rialto/telemetry/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOperationCount } from "../src/requests/operation-metrics.ts";
import { authorization, type Fixture, fromOrder, openFixture, refusal } from "./payment-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

/** A process that counts, and what it has counted, without zeros. */
function counting() {
  const { metrics, read } = recordMetrics();
  const process = fixture.start((provider) => provider, createOperationCount(metrics));
  const counted = async () => {
    const all = await read("rialto.payment.operations");
    return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0));
  };
  return { calls: process.calls, counted, read };
}

describe("the count of payment operations", () => {
  it("has each answer once, also where the call is repeated", async () => {
    const { calls, counted } = counting();
    const good = authorization();
    await calls.authorizePayment(good, fromOrder());
    await calls.authorizePayment(good, fromOrder());
    await calls.capturePayment({ orderId: good.orderId }, fromOrder());
    const declined = authorization({ method: "pm_test_declined" });
    await refusal(calls.authorizePayment(declined, fromOrder()));
    await refusal(calls.authorizePayment(declined, fromOrder()));
    expect(await counted()).toEqual({ "AUTHORIZE APPROVED": 1, "AUTHORIZE DECLINED": 1, "CAPTURE APPROVED": 1 });
  });

  it("has each wait that ended without an answer, and the answer that is found later", async () => {
    const { calls, counted } = counting();
    const asked = authorization({ method: "pm_test_unknown_outcome" });
    expect(await refusal(calls.authorizePayment(asked, fromOrder()))).toBe("PROVIDER_UNAVAILABLE");
    expect(await counted()).toEqual({ "AUTHORIZE UNKNOWN": 1 });
    await calls.authorizePayment(asked, fromOrder());
    expect(await counted()).toEqual({ "AUTHORIZE UNKNOWN": 1, "AUTHORIZE APPROVED": 1 });
  });

  it("has every outcome of every operation from the start, so that the first one is seen as an increase", async () => {
    expect(Object.keys(await counting().read("rialto.payment.operations"))).toHaveLength(12);
  });
});
