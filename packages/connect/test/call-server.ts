import { createServer, type RequestListener } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { BadRequestSchema, ProductService } from "@rialto/contracts";
import { listenHttp } from "@rialto/http";
import { createConnectHandler } from "../src/index.ts";

export interface CallServer {
  readonly baseUrl: string;
  close(): Promise<void>;
}

export type ServerKind = "the official adapter" | "our handler";

/** Starts a server of the service below: the official adapter on Node's servers, or our handler on our port. */
export function startCallServer(kind: ServerKind, httpVersion: "1.1" | "2"): Promise<CallServer> {
  return kind === "our handler" ? listenOurs() : listenRaw(httpVersion, connectNodeAdapter({ routes }));
}

async function listenOurs(): Promise<CallServer> {
  const onRequest = createConnectHandler({ routes });
  const listener = await listenHttp({ port: 0, streamsMax: 100, onRequest, onStream: onRequest.onStream });
  return { baseUrl: `http://127.0.0.1:${listener.port}`, close: () => listener.close() };
}

/** Starts one of Node's own servers. */
export async function listenRaw(httpVersion: "1.1" | "2", onRequest: RequestListener): Promise<CallServer> {
  // Node's compatibility API gives HTTP/2 requests the shape of HTTP/1.1's.
  const server = httpVersion === "2" ? createHttp2Server(onRequest as never) : createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // A TCP server has an address of this kind.
  return { baseUrl: `http://127.0.0.1:${port}`, close: async () => void server.close() };
}

/** What the service does is named by the id of the product that is asked for. */
function routes(router: ConnectRouter): void {
  router.rpc(ProductService.method.getProduct, async ({ id }, context) => {
    await (behaviors[id] ?? (() => undefined))(context);
    const name = id === "large" ? "x".repeat(largeNameLength) : "Mug";
    return { product: { id, name } };
  });
}

export const largeNameLength = 300_000;

const behaviors: Readonly<Record<string, (context: HandlerContext) => unknown>> = {
  metadata({ requestHeader, responseHeader, responseTrailer }) {
    responseHeader.set("answer-text", requestHeader.get("question-text") ?? "none");
    responseHeader.set("seen-user-agent", requestHeader.get("user-agent") ?? "none");
    responseTrailer.append("after-text", "one");
    responseTrailer.append("after-text", "two");
  },
  refused() {
    const metadata = new Headers({ "refusal-text": "for good" });
    const violation = { field: "id", description: "müss sein" };
    const details = [{ desc: BadRequestSchema, value: { fieldViolations: [violation] } }];
    throw new ConnectError("nein, näh", Code.FailedPrecondition, metadata, details);
  },
  method({ requestMethod, responseHeader }) {
    responseHeader.set("seen-method", requestMethod);
  },
  never: ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
};
