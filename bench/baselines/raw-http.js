// node:http and nothing else: reads a body of limited size, parses it, checks the id, stringifies the answer, and sends
// the headers that a Connect server sends. A body of application/proto is decoded and encoded by protobuf-es. With
// BENCH_ACCESS_LOG it writes a line for each request.

import { createServer } from "node:http";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  GetOrderRequestSchema,
  GetOrderResponseSchema,
} from "../../packages/contracts/gen/rialto/order/v1/order_service_pb.js";
import { bodyBytesMax, isOrderId, orderJson, orderMessage, port } from "./order.js";

const path = "/rialto.order.v1.OrderService/GetOrder";
const isLogged = process.env.BENCH_ACCESS_LOG !== undefined;

const server = createServer((request, response) => {
  const startedAt = Date.now();
  const chunks = [];
  let bytes = 0;
  request.on("data", (chunk) => {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) send(response, 413, "application/json", '{"code":"resource_exhausted"}');
    else chunks.push(chunk);
  });
  request.on("end", () => {
    if (response.headersSent) return;
    answer(request, response, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    if (isLogged) writeLine(request, response, startedAt);
  });
});

function answer(request, response, body) {
  if (request.method !== "POST" || request.url !== path) return send(response, 404, "text/plain", "");
  const contentType = request.headers["content-type"];
  try {
    if (contentType === "application/json") {
      const { id } = JSON.parse(body.toString());
      if (!isOrderId(id)) return send(response, 400, contentType, '{"code":"invalid_argument"}');
      return send(response, 200, contentType, JSON.stringify(orderJson(id)));
    }
    if (contentType === "application/proto") {
      const { id } = fromBinary(GetOrderRequestSchema, body);
      if (!isOrderId(id)) return send(response, 400, "application/json", '{"code":"invalid_argument"}');
      const message = create(GetOrderResponseSchema, orderMessage(id));
      return send(response, 200, contentType, toBinary(GetOrderResponseSchema, message));
    }
    return send(response, 415, "text/plain", "");
  } catch {
    return send(response, 400, "application/json", '{"code":"invalid_argument"}');
  }
}

function send(response, status, contentType, body) {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) }).end(body);
}

function writeLine(request, response, startedAt) {
  const line = { time: new Date().toISOString(), method: request.method, path: request.url };
  process.stdout.write(
    `${JSON.stringify({ ...line, status: response.statusCode, durationMs: Date.now() - startedAt })}\n`,
  );
}

server.listen(port, "127.0.0.1");
