import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { OrderService, WatchOrderResponseSchema } from "@rialto/contracts";
import { describe, expect, it } from "vitest";
import { createTransport, type TransportOptions } from "../src/index.ts";
import { listenRaw } from "./call-server.ts";

const message = encodeEnvelope(0, toBinary(WatchOrderResponseSchema, create(WatchOrderResponseSchema)));

describe("a stream", () => {
  it("gives its messages and its trailers", async () => {
    const end = encodeEnvelope(2, Buffer.from('{"metadata":{"after-text":["one"]}}'));
    const got = await watch({ protocol: "connect" }, (response) => {
      response
        .writeHead(200, { "content-type": "application/connect+proto" })
        .end(Buffer.concat([message, message, end]));
    });
    expect(got).toMatchObject({ messages: 2, error: undefined });
    expect(got.trailer.get("after-text")).toBe("one");
  });

  it("fails as internal, and not by its caller's argument, when its end is missing", async () => {
    const got = await watch({ protocol: "connect" }, (response) => {
      response.writeHead(200, { "content-type": "application/connect+proto" }).end(message);
    });
    expect(got).toMatchObject({ messages: 1, error: Code.Internal });
  });

  it.each(["connect", "grpc", "grpc-web"] as const)(
    "fails as internal when a message is cut off, in %s",
    async (protocol) => {
      const type = protocol === "connect" ? "connect+proto" : `${protocol}+proto`;
      const got = await watch({ protocol }, (response) => {
        response.writeHead(200, { "content-type": `application/${type}` }).end(message.subarray(0, 4));
      });
      expect(got).toMatchObject({ messages: 0, error: Code.Internal });
    },
  );

  it("has its server's code where that refuses in the words of a cut-off response", async () => {
    const error = { code: "invalid_argument", message: "protocol error: incomplete envelope" };
    const end = encodeEnvelope(2, Buffer.from(JSON.stringify({ error })));
    const got = await watch({ protocol: "connect" }, (response) => {
      response.writeHead(200, { "content-type": "application/connect+proto" }).end(end);
    });
    expect(got).toMatchObject({ messages: 0, error: Code.InvalidArgument });
  });

  it("shows its interceptors what its caller gets", async () => {
    const seen: unknown[] = [];
    const interceptor: Interceptor = (next) => async (request) => {
      const response = await next(request);
      if (!response.stream) return response;
      async function* read(messages: AsyncIterable<unknown>) {
        try {
          yield* messages;
        } catch (error) {
          seen.push(ConnectError.from(error).code);
          throw error;
        }
      }
      return { ...response, message: read(response.message) as typeof response.message };
    };
    await watch({ protocol: "connect", interceptors: [interceptor] }, (response) => {
      response.writeHead(200, { "content-type": "application/connect+proto" }).end(message);
    });
    expect(seen).toEqual([Code.Internal]);
  });

  it("has its trailers where a gRPC-Web response puts all into its head", async () => {
    const fields = { "content-type": "application/grpc-web+proto", "grpc-status": "0", "after-text": "one" };
    const got = await watch({ protocol: "grpc-web" }, (response) => response.writeHead(200, fields).end());
    expect(got).toMatchObject({ messages: 0, error: undefined });
    expect(got.trailer.get("after-text")).toBe("one");
  });

  it("fails by its deadline where its server resets it then", async () => {
    const options = { protocol: "grpc", httpVersion: "2" } as const;
    const got = await watch(
      options,
      (response) => {
        // Node's compatibility API for HTTP/2 has it; its type is that of HTTP/1.1 here.
        const { stream } = response as unknown as { stream: { close(code: number): void } };
        setTimeout(() => stream.close(8), 50);
      },
      50,
    );
    expect(got).toMatchObject({ messages: 0, error: Code.DeadlineExceeded });
  });

  it("that fails before its caller asks for the response ends no process", async () => {
    const transport = createTransport({ protocol: "connect", httpVersion: "1.1", baseUrl: "http://127.0.0.1:1" });
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown) => rejections.push(reason);
    process.on("unhandledRejection", onRejection);
    const responses = createClient(OrderService, transport).watchOrder({ id: "1" })[Symbol.asyncIterator]();
    await sleep(50);
    process.off("unhandledRejection", onRejection);
    expect(rejections).toEqual([]);
    await expect(responses.next()).rejects.toMatchObject({ code: Code.Unavailable });
    await transport.close();
  });
});

async function watch(
  o: Pick<TransportOptions, "protocol"> & Partial<TransportOptions>,
  write: (response: ServerResponse) => void,
  timeoutMs = 10_000,
) {
  const { httpVersion = "1.1" } = o;
  const { baseUrl, close } = await listenRaw(httpVersion, (request, response) => {
    request.resume().on("end", () => write(response));
  });
  const transport = createTransport({ ...o, httpVersion, baseUrl });
  const got: { messages: number; error: Code | undefined; trailer: Headers } = {
    messages: 0,
    error: undefined,
    trailer: new Headers(),
  };
  const onTrailer = (trailer: Headers) => {
    got.trailer = trailer;
  };
  try {
    const messages = createClient(OrderService, transport).watchOrder({ id: "1" }, { timeoutMs, onTrailer });
    for await (const _ of messages) got.messages += 1;
  } catch (error) {
    got.error = ConnectError.from(error).code;
  }
  await transport.close();
  await close();
  return got;
}
