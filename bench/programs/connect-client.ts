/**
 * The client of `packages/connect` in a process of its own, for pairs: calls the server at BENCH_UPSTREAM, by
 * BENCH_PROTOCOL.
 */
import type * as ConnectEs from "@connectrpc/connect";
import type * as Contracts from "../../packages/contracts/src/index.ts";
import { serveRuns } from "./driver.ts";
import { orderId } from "./order-answer.ts";
import { ours, oursOf, port } from "./root.ts";

/** Named here, since the checkout of the state before has no transport. */
interface Transports {
  createTransport(o: {
    readonly baseUrl: string;
    readonly protocol: "connect" | "grpc";
    readonly httpVersion: "1.1" | "2";
  }): ConnectEs.Transport;
}

const { createTransport } = await ours<Transports>("packages/connect/src/index.ts");
const { createClient } = await oursOf<typeof ConnectEs>("packages/connect", "@connectrpc/connect");
const { OrderService } = await ours<typeof Contracts>("packages/contracts/src/index.ts");

const isGrpc = process.env.BENCH_PROTOCOL === "grpc";
const transport = createTransport({
  baseUrl: process.env.BENCH_UPSTREAM ?? "",
  protocol: isGrpc ? "grpc" : "connect",
  httpVersion: isGrpc ? "2" : "1.1",
});
const orders = createClient(OrderService, transport);
serveRuns(port, () => orders.getOrder({ id: orderId }, { timeoutMs: 5_000 }));
