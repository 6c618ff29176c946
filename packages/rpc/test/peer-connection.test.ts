import { connect } from "node:http2";
import { afterEach, describe, expect, it } from "vitest";
import { listen } from "../src/index.ts";
import { createFixture, orderId } from "./fixture.ts";
import { createPeople } from "./keys.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

describe("a connection that carries many people's calls to a service", () => {
  it("carries on however many of them hang up at once", async () => {
    const people = await createPeople();
    let begun = 0;
    const { endpoint } = createFixture(people, {
      getOrder: () => {
        begun += 1;
        return new Promise(() => undefined);
      },
    });
    const server = await listen({ endpoint, port: 0, host: "127.0.0.1" });
    open.push(server.close);
    const session = connect(`http://127.0.0.1:${server.port}`);
    session.on("error", () => undefined);
    open.push(() => session.destroy());
    const head = {
      ":method": "POST",
      ":path": "/rialto.order.v1.OrderService/GetOrder",
      "content-type": "application/json",
      authorization: `Bearer ${people.customer}`,
    };
    const streams = Array.from({ length: 600 }, () => session.request(head));
    for (const stream of streams) stream.on("error", () => undefined).end(`{"id":"${orderId}"}`);
    await expect.poll(() => begun, { timeout: 20_000 }).toBe(600);
    for (const stream of streams) stream.close(0x8);
    const pinged = await new Promise((resolve) => session.ping((error) => resolve(error)));
    expect([pinged, session.closed, session.destroyed]).toEqual([null, false, false]);
  });
});
