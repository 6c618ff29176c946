// node:http and nothing else: reads a body of limited size, parses it, checks the id, and sends the answer with the
// headers that a Connect server sends. Environment:
//
// BENCH_PARSING=protobuf  JSON is parsed and written by protobuf-es, as a server of a contract does it. Without it by
//                         JSON.parse and JSON.stringify of plain objects. application/proto always goes by protobuf-es.
// BENCH_LIKE=service      answers as a service of Rialto does: fields without a value are written, and x-request-id is
//                         sent. Without it as `packages/connect` alone does.
// BENCH_ACCESS_LOG        writes a line for each request.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  GetOrderRequestSchema,
  GetOrderResponseSchema,
} from "../../packages/contracts/gen/rialto/order/v1/order_service_pb.js";
import { bodyBytesMax, isOrderId, orderJson, orderMessage, port } from "./order.js";

const path = "/rialto.order.v1.OrderService/GetOrder";
const isLogged = process.env.BENCH_ACCESS_LOG !== undefined;
const isLikeService = process.env.BENCH_LIKE === "service";
const readOptions = { ignoreUnknownFields: true };
const writeOptions = { alwaysEmitImplicit: isLikeService };

const plainJson = {
  read: (body) => JSON.parse(body.toString()),
  write: isLikeService ? (id) => JSON.stringify(wholeOrder(id)) : (id) => JSON.stringify(orderJson(id)),
};
const protobufJson = {
  read: (body) => fromJsonString(GetOrderRequestSchema, body.toString(), readOptions),
  write: (id) => toJsonString(GetOrderResponseSchema, create(GetOrderResponseSchema, orderMessage(id)), writeOptions),
};
const protobufBinary = {
  read: (body) => fromBinary(GetOrderRequestSchema, body),
  write: (id) => toBinary(GetOrderResponseSchema, create(GetOrderResponseSchema, orderMessage(id))),
};
const codecs = {
  "application/json": process.env.BENCH_PARSING === "protobuf" ? protobufJson : plainJson,
  "application/proto": protobufBinary,
};

const server = createServer((request, response) => {
  const startedAt = isLogged ? Date.now() : 0;
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
// As ours has it, so that both name the same time.
server.keepAliveTimeout = 65_000;

function answer(request, response, body) {
  if (request.method !== "POST" || request.url !== path) return send(response, 404, "text/plain", "");
  const contentType = request.headers["content-type"];
  const codec = codecs[contentType];
  if (codec === undefined) return send(response, 415, "text/plain", "");
  try {
    const { id } = codec.read(body);
    if (!isOrderId(id)) return send(response, 400, "application/json", '{"code":"invalid_argument"}');
    return send(response, 200, contentType, codec.write(id));
  } catch {
    return send(response, 400, "application/json", '{"code":"invalid_argument"}');
  }
}

function send(response, status, contentType, body) {
  const headers = { "content-type": contentType, "content-length": Buffer.byteLength(body) };
  if (isLikeService) headers["x-request-id"] = randomUUID();
  response.writeHead(status, headers).end(body);
}

function wholeOrder(id) {
  const { userId, status, total, version } = orderJson(id).order;
  return { order: { id, userId, status, items: [], total, version, paymentMethod: "" } };
}

function writeLine(request, response, startedAt) {
  const line = { time: new Date().toISOString(), method: request.method, path: request.url };
  process.stdout.write(
    `${JSON.stringify({ ...line, status: response.statusCode, durationMs: Date.now() - startedAt })}\n`,
  );
}

server.listen(port, "127.0.0.1");
