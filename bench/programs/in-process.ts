/** Calls in one process, with the whole pipeline: Rialto's client on an endpoint of the same process. */
import type * as Contracts from "../../packages/contracts/src/index.ts";
import type * as Rpc from "../../packages/rpc/src/index.ts";
import { callOrder } from "./call-order.ts";
import { serveRuns } from "./driver.ts";
import { createOrderEndpoint } from "./order-endpoint.ts";
import { ours, port } from "./root.ts";

const { OrderService } = await ours<typeof Contracts>("packages/contracts/src/index.ts");
const { createClient } = await ours<typeof Rpc>("packages/rpc/src/index.ts");
const endpoint = await createOrderEndpoint();
serveRuns(
  port,
  await callOrder((names) => createClient(OrderService, { kind: "local", endpoint: () => endpoint }, names)),
);
