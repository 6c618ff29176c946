/** Rialto's client in a process of its own: calls a service of Rialto at BENCH_UPSTREAM. */
import type * as Contracts from "../../packages/contracts/src/index.ts";
import type * as Rpc from "../../packages/rpc/src/index.ts";
import { callOrder } from "./call-order.ts";
import { serveRuns } from "./driver.ts";
import { ours, port } from "./root.ts";

const { OrderService } = await ours<typeof Contracts>("packages/contracts/src/index.ts");
const { createClient } = await ours<typeof Rpc>("packages/rpc/src/index.ts");
const urls = [process.env.BENCH_UPSTREAM ?? ""];
serveRuns(port, await callOrder((names) => createClient(OrderService, { kind: "remote", urls }, names)));
