import type * as Contracts from "../../packages/contracts/src/index.ts";
import type * as Rpc from "../../packages/rpc/src/index.ts";
import type * as Telemetry from "../../packages/telemetry/src/index.ts";
import { orderAnswer } from "./order-answer.ts";
import { givenKeys, ours } from "./root.ts";

/** An order service whose GetOrder answers at once, with a log line for each call. */
export async function createOrderEndpoint(): Promise<Rpc.Endpoint> {
  const { OrderService } = await ours<typeof Contracts>("packages/contracts/src/index.ts");
  const { createEndpoint, createTokenVerifier, serve } = await ours<typeof Rpc>("packages/rpc/src/index.ts");
  const { createLogger } = await ours<typeof Telemetry>("packages/telemetry/src/index.ts");
  const { access, gateway } = givenKeys();
  const unused = OrderService.methods.map(({ localName, name }) => [
    localName,
    () => Promise.reject(new Error(`${name} is not measured`)),
  ]);
  const handlers = { ...Object.fromEntries(unused), getOrder: async ({ id }: { id: string }) => orderAnswer(id) };
  return createEndpoint({
    service: "order",
    // Every method of the service has one; the type of fromEntries does not say so.
    routes: [serve(OrderService, handlers as Rpc.Handlers<typeof OrderService>)],
    verifier: createTokenVerifier({
      accessKeys: async () => ({ keys: [access.public] }),
      serviceKeys: { keys: [gateway.public] },
    }),
    fingerprintKey: "the key of a bench",
    log: createLogger({ service: "order", level: "debug" }),
  });
}
