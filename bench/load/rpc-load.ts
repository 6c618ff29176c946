import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createPersonTokens, createServiceTokens } from "../../packages/rpc/src/index.ts";
import { accessToken, customerIdOf, type Keys } from "../programs/keys.ts";
import { orderId } from "../programs/order-answer.ts";
import type { LoadOf } from "../subjects/server.ts";
import { runProgram } from "../tools/program.ts";
import { httpLoad } from "./http-load.ts";
import { inFlight, type Load, type LoadResult, type Plan, type PlannedRequest } from "./plan.ts";

/** Who calls: nobody, the gateway for a customer (to a service), or a customer (to the gateway). */
export type Credentials = "none" | "gateway" | "customer";

/** How a message of Connect is written. */
export type Codec = "json" | "binary";

const path = "/rialto.order.v1.OrderService/GetOrder";
const timeoutMs = "5000";
/** Requests go by so many customers in turn, so that no row measures a cache of one entry. */
const callers = 20;

/** Load of Connect over HTTP/1.1: GetOrder, in JSON or binary. */
export function connectLoad(codec: Codec, credentials: Credentials = "none"): LoadOf {
  return ({ port, folder, bench }) =>
    httpLoad({
      url: `http://127.0.0.1:${port}`,
      folder,
      vegeta: bench.tools.vegeta,
      plan: () => connectPlan(codec, credentials, bench.keys),
    });
}

/** The request of each caller. */
export async function connectPlan(codec: Codec, credentials: Credentials, keys: Keys): Promise<Plan> {
  const body = codec === "json" ? Buffer.from(JSON.stringify({ id: orderId })) : binaryRequest();
  return (await headersOf(credentials, keys)).map((headers) => ({
    method: "POST",
    path,
    headers: {
      "content-type": codec === "json" ? "application/json" : "application/proto",
      "connect-protocol-version": "1",
      ...(credentials === "none" ? {} : { "connect-timeout-ms": timeoutMs }),
      ...headers,
    },
    body,
  }));
}

/** Load of gRPC over HTTP/2 in cleartext: GetOrder by a compiled client, 32 calls in flight on one connection. */
export function grpcLoad(credentials: Credentials = "none"): LoadOf {
  return ({ port, folder, bench }) => {
    const program = bench.tools.grpcClient ?? "grpc-client";
    const plan = join(folder, "calls.json");
    const run = async (seconds: number, more: readonly string[]): Promise<LoadResult> => {
      const body = binaryRequest().toString("base64");
      const calls = (await headersOf(credentials, bench.keys)).map((headers) => ({ path, headers, body }));
      writeFileSync(plan, JSON.stringify(calls));
      const args = [`-address=127.0.0.1:${port}`, `-plan=${plan}`, `-seconds=${seconds}`];
      // Printed by our own program.
      return JSON.parse(await runProgram(program, [...args, ...more])) as LoadResult;
    };
    return {
      closed: (seconds) => run(seconds, [`-in-flight=${inFlight}`]),
      open: (perSecond, seconds) => run(seconds, [`-rate=${perSecond}`]),
    };
  };
}

/** Load of a program that makes it itself (`programs/driver.ts`). */
export const drivenLoad: LoadOf = ({ port }): Load => ({
  async closed(seconds) {
    const response = await fetch(`http://127.0.0.1:${port}/run?seconds=${seconds}`);
    if (!response.ok) throw new Error(await response.text());
    // Answered by our own program.
    return (await response.json()) as LoadResult;
  },
});

/** The headers of each caller. */
async function headersOf(credentials: Credentials, keys: Keys): Promise<readonly PlannedRequest["headers"][]> {
  if (credentials === "none") return [{}];
  const indices = Array.from({ length: callers }, (_, index) => index);
  if (credentials === "customer")
    return indices.map((index) => ({ authorization: `Bearer ${accessToken(keys, index)}` }));
  const own = { name: "gateway", privateKey: keys.gateway.private };
  const service = await createServiceTokens(own).for("order");
  const persons = createPersonTokens(own);
  return Promise.all(
    indices.map(async (index) => {
      const person = { userId: customerIdOf(index), role: "CUSTOMER", sessionId: `session-${index}` } as const;
      // Customers of the bench: nobody else gives them a `UserId`.
      const claims = person as Parameters<typeof persons.for>[0];
      return {
        "rialto-service": service,
        "rialto-client-address": "192.0.2.1",
        authorization: `Bearer ${await persons.for(claims, "order")}`,
      };
    }),
  );
}

/** GetOrderRequest { id }: one field of 36 bytes. */
function binaryRequest(): Buffer {
  return Buffer.concat([Buffer.from([0x0a, orderId.length]), Buffer.from(orderId)]);
}
