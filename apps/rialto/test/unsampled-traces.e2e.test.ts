import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "@rialto/testing/otlp-receiver";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openRestClient } from "./rest-client.ts";
import { oneProcess, type Topology } from "./topology.ts";

const ordersPlaced = 24;
/** More than ended spans wait for others. */
const exportWaitMs = 1_500;
/** What a job does for all of its events, recorded where the trace of one of them is. */
const ofJobs = /^receive |\binbox(_pending)?\b/;
/** What fails is recorded by itself, whatever was decided: a busy machine refuses a poll. */
const isOfFailure = ({ attributes }: ReceivedSpan) => attributes["rialto.sampled_by"] === "failure";

describe("orders whose traces are not recorded", () => {
  let receiver: OtlpReceiver;
  let system: Topology;
  let spansBefore: readonly ReceivedSpan[] | undefined;
  let stop: () => Promise<void> = async () => undefined;
  const [recorded, ...others] = Array.from({ length: ordersPlaced }, () => randomBytes(16).toString("hex"));

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    system = await oneProcess("postgres", {
      OTEL_SDK_DISABLED: "false",
      RIALTO_KEEP_TRACES: "off",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_TRACES_SAMPLER: "parentbased_always_off",
      // The test is a proxy that decides which traces are recorded.
      RIALTO_TRUSTED_PROXIES: "127.0.0.1",
    });
    let stopping: Promise<void> | undefined;
    stop = () => (stopping ??= system.stop());
    const client = await openRestClient(system);
    const customer = await client.customer();
    const product = await client.product({ stock: 100, name: "Teapot" });
    const order = async (traceId = "") => {
      const placed = await fetch(`${system.url}/api/orders`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${customer.token}`,
          "content-type": "application/json",
          "idempotency-key": traceId,
          traceparent: `00-${traceId}-b7ad6b7169203331-${traceId === recorded ? "01" : "00"}`,
        },
        body: JSON.stringify({ items: [{ productId: product, quantity: 1 }], paymentMethod: "pm_test_approved" }),
      });
      expect(placed.status).toBe(200);
      const { id } = JSON.parse(await placed.text());
      expect((await client.settled(customer.token, id)).status).toBe("CONFIRMED");
    };
    await Promise.all(others.slice(0, 6).map(order));
    await sleep(exportWaitMs);
    spansBefore = receiver.spans.filter((span) => !isOfFailure(span));
    // They share jobs, calls and statements.
    await Promise.all([...others.slice(6, 12), recorded, ...others.slice(12)].map(order));
    await vi.waitFor(() => expect(receiver.spans.map(({ name }) => name)).toContain("send mail"), { timeout: 60_000 });
    // What waits is exported.
    await stop();
  }, 240_000);

  afterAll(async () => {
    await stop();
    await receiver?.close();
  });

  it("make no span, not even in a job, a call or a batch that they share with one that is recorded", () => {
    const own = receiver.spans.filter(({ traceId }) => traceId === recorded);
    const count = (name: string) => own.filter((span) => span.name === name).length;
    expect(["POST /api/orders", "decide stock", "checkout authorize-payment", "send mail"].map(count)).toEqual([
      1, 1, 1, 1,
    ]);
    const unrecorded = receiver.spans.filter((span) => span.traceId !== recorded && !isOfFailure(span));
    const strays = unrecorded.filter(({ name }) => !ofJobs.test(name));
    expect(strays.map(({ service, name }) => `${service}: ${name}`)).toEqual([]);
  });

  it("make nothing to export among themselves, not even of a job", () => {
    expect(spansBefore?.map(({ service, name }) => `${service}: ${name}`)).toEqual([]);
    expect(receiver.bodies.length).toBeGreaterThan(0);
  });
});
