import type * as Contracts from "../../packages/contracts/src/index.ts";
import type * as Rpc from "../../packages/rpc/src/index.ts";
import { customerId } from "./keys.ts";
import { orderId } from "./order-answer.ts";
import { givenKeys, ours } from "./root.ts";

type Orders = Rpc.Client<typeof Contracts.OrderService>;

/** Returns a call of GetOrder as the gateway makes it for a customer: both tokens, a deadline, a trace. */
export async function callOrder(
  clientOf: (names: Parameters<typeof Rpc.createClient>[2]) => Orders,
): Promise<() => Promise<unknown>> {
  const { backgroundContext, createPersonTokens, createServiceTokens } =
    await ours<typeof Rpc>("packages/rpc/src/index.ts");
  const own = { name: "gateway", privateKey: givenKeys().gateway.private };
  const orders = clientOf({
    caller: "gateway",
    target: "order",
    tokens: createServiceTokens(own),
    persons: createPersonTokens(own),
  });
  const caller = { kind: "user", userId: customerId as Rpc.UserId, role: "CUSTOMER", sessionId: "session-1" } as const;
  return () => orders.getOrder({ id: orderId }, { ...backgroundContext({}), caller, clientAddress: "192.0.2.1" });
}
