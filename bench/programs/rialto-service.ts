/**
 * A service of Rialto with one method that answers at once: token, policy, deadline, validation and log line of every
 * call, as `createEndpoint` and `listen` have them.
 */
import type * as Rpc from "../../packages/rpc/src/index.ts";
import { createOrderEndpoint } from "./order-endpoint.ts";
import { onStop, ours, port } from "./root.ts";

const { listen } = await ours<typeof Rpc>("packages/rpc/src/index.ts");
const listener = await listen({ endpoint: await createOrderEndpoint(), port, host: "127.0.0.1" });
onStop(listener.close);
