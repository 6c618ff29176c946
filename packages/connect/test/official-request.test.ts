import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import { OrderService } from "@rialto/contracts";
import { reflection } from "@rialto/contracts/grpc";
import { describe, expect, it, onTestFinished } from "vitest";
import { enveloped, serving } from "./wire.ts";

const path = "/rialto.order.v1.OrderService/WatchOrder";
const headers = { "content-type": "application/connect+json" };

describe("a stream of HTTP/1.1 whose request is too large", () => {
  it.each(["in one piece", "slowly"])("keeps its connection where the client sends it %s", async (way) => {
    const port = await serving({
      routes: (router) =>
        router.service(OrderService, {
          async *watchOrder() {
            yield {};
          },
        }),
      readMaxBytes: 1_000,
    });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const send = async (body: Buffer) => {
      const req = http.request({ port, path, method: "POST", headers, agent });
      const answered = once(req, "response");
      if (way === "slowly") {
        req.write(body.subarray(0, 10));
        await Promise.race([answered, once(req, "drain"), new Promise((resolve) => setTimeout(resolve, 50))]);
      }
      req.end(way === "slowly" ? body.subarray(10) : body);
      const [res] = (await answered) as [http.IncomingMessage];
      return { status: res.statusCode, reused: req.reusedSocket, body: Buffer.concat(await res.toArray()).toString() };
    };
    expect((await send(enveloped(Buffer.alloc(500_000, " ")))).body).toContain("resource_exhausted");
    const next = await send(enveloped("{}"));
    expect(next).toMatchObject({ status: 200, reused: true });
    expect(next.body).not.toContain("error");
  });
});

describe("a stream of HTTP/2 whose message is too large", () => {
  it.each(["connect+proto", "grpc+proto", "grpc-web+proto"])(
    "is answered while its client sends, in %s",
    async (type) => {
      const port = await serving({
        routes: (router) =>
          router.service(reflection.ServerReflection, {
            async *serverReflectionInfo(requests) {
              for await (const _ of requests) yield {};
            },
          }),
        readMaxBytes: 1_000,
      });
      const session = http2.connect(`http://127.0.0.1:${port}`);
      onTestFinished(() => session.destroy());
      const stream = session.request({
        ":method": "POST",
        ":path": "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "content-type": `application/${type}`,
      });
      const said: string[] = [];
      stream.on("trailers", (trailers) => said.push(JSON.stringify(trailers)));
      stream.on("data", (part) => said.push(`${part}`));
      stream.write(enveloped(Buffer.alloc(200_000)));
      await once(stream, "end");
      expect(said.join()).toMatch(/resource_exhausted|grpc-status"?: ?"?8/);
    },
  );
});
