import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ProductService } from "@rialto/contracts";
import { listenHttp } from "@rialto/http";
import { describe, expect, it } from "vitest";
import { createConnectHandler } from "../src/index.ts";

describe("a handler", () => {
  it.each(["1.1", "2"] as const)("answers a client of the official library over HTTP/%s", async (httpVersion) => {
    const onRequest = createConnectHandler({
      routes: (router) => router.rpc(ProductService.method.getProduct, ({ id }) => ({ product: { id, name: "Mug" } })),
    });
    const listener = await listenHttp({ port: 0, streamsMax: 100, onRequest });
    const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${listener.port}`, httpVersion });
    const { product } = await createClient(ProductService, transport).getProduct({ id: "1" });
    expect(product).toMatchObject({ id: "1", name: "Mug" });
    await listener.close();
  });
});
