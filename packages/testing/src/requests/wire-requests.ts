import { gzipSync } from "node:zlib";
import { type DescField, type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { http } from "@rialto/contracts";
import { type HostileRequest, hostileRequests } from "./hostile-requests.ts";

/** How a request is spoken. */
export type Way = "Connect JSON" | "Connect binary" | "Connect GET" | "Connect stream" | "gRPC" | "gRPC-Web" | "REST";

/** One request over HTTP, ready to be sent: gRPC over HTTP/2, the others over either. */
export interface WireRequest {
  readonly way: Way;
  /** "CreateOrder: items[]: 900 items, compressed". */
  readonly name: string;
  readonly httpMethod: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** The longest path that a gateway takes, its query included. */
const pathCharsMax = 8 * 1024;

/**
 * Every hostile request to a method, over every protocol that it can be called by, compressed and not. REST is left out
 * where the method has no route.
 */
export function* wireRequests(method: DescMethod): Generator<WireRequest> {
  for (const hostile of hostileRequests(method.input)) yield* rpcRequests(method, hostile);
  yield* restRequests(method);
}

/** One message to a method over each protocol of RPC. */
export function* rpcRequests(method: DescMethod, message: HostileRequest): Generator<WireRequest> {
  const path = `/${method.parent.typeName}/${method.name}`;
  const { format, bytes } = message;
  const small = gzipSync(bytes, { level: 1 });
  const name = `${method.name}: ${message.name}`;
  const post = (way: Way, contentType: string, body: Uint8Array, more: Record<string, string> = {}): WireRequest => ({
    way,
    name: Object.keys(more).length > 0 ? `${name}, compressed` : name,
    httpMethod: "POST",
    path,
    headers: { "content-type": contentType, ...(way === "gRPC" ? { te: "trailers" } : {}), ...more },
    body,
  });
  if (method.methodKind === "unary") {
    const way = format === "json" ? "Connect JSON" : "Connect binary";
    yield post(way, `application/${format}`, bytes);
    yield post(way, `application/${format}`, small, { "content-encoding": "gzip" });
  } else {
    yield post("Connect stream", `application/connect+${format}`, enveloped(bytes));
    yield post("Connect stream", `application/connect+${format}`, enveloped(small, 1), {
      "connect-content-encoding": "gzip",
    });
  }
  for (const [way, type] of [
    ["gRPC", "grpc"],
    ["gRPC-Web", "grpc-web"],
  ] as const) {
    yield post(way, `application/${type}+${format}`, enveloped(bytes));
    yield post(way, `application/${type}+${format}`, enveloped(small, 1), { "grpc-encoding": "gzip" });
  }
  if (method.methodKind !== "unary" || method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return;
  for (const [content, compression] of [
    [bytes, ""],
    [small, "&compression=gzip"],
  ] as const) {
    const query = `connect=v1&encoding=${format}&base64=1${compression}&message=${Buffer.from(content).toString("base64url")}`;
    if (path.length + query.length + 1 > pathCharsMax) continue;
    const compressed = compression === "" ? name : `${name}, compressed`;
    yield {
      way: "Connect GET",
      name: compressed,
      httpMethod: "GET",
      path: `${path}?${query}`,
      headers: {},
      body: undefined,
    };
  }
}

/** The hostile requests of a method's REST route: bodies, and each parameter of its query. */
export function* restRequests(method: DescMethod): Generator<WireRequest> {
  if (!hasOption(method, http)) return;
  const { pattern, body } = getOption(method, http);
  if (pattern.case === undefined || pattern.case === "custom") return;
  const path = pattern.value
    .replaceAll(/\{[^}]*id\}/g, "0197f000-0000-7000-8000-000000000001")
    .replaceAll(/\{[^}]*\}/g, "checkout");
  const common = { way: "REST", httpMethod: pattern.case.toUpperCase() } as const;
  const asked = body === "*" ? method.input : method.input.fields.find(({ name }) => name === body)?.message;
  for (const { name, format, bytes } of asked === undefined ? [] : hostileRequests(asked)) {
    if (format !== "json") continue;
    const headers = { "content-type": "application/json" };
    yield { ...common, name: `${method.name}: ${name}`, path, headers, body: bytes };
  }
  const content = body === "" ? {} : { body: Buffer.from("{}"), headers: { "content-type": "application/json" } };
  for (const [name, query] of queries(method.input.fields)) {
    yield {
      ...common,
      headers: {},
      body: undefined,
      ...content,
      name: `${method.name}: the query ${name}`,
      path: `${path}?${query}`,
    };
  }
}

function* queries(fields: readonly DescField[]): Generator<[string, string]> {
  yield ["has a name of 7,000 characters", `${"n".repeat(7_000)}=1`];
  yield ["has 3,000 names", Array.from({ length: 1_200 }, (_, at) => `n${at}=`).join("&")];
  yield ["has one name 2,000 times", "a=&".repeat(2_000)];
  for (const { jsonName, fieldKind } of fields) {
    for (const [what, value] of [
      ["0x10", "0x10"],
      ["7,000 digits", "9".repeat(7_000)],
      ["7,000 letters", "x".repeat(7_000)],
      ["a mask below a field", "price.minorUnits"],
      ["2,000 paths", "name,".repeat(1_400)],
    ] as const) {
      yield [`${jsonName}: ${what}`, `${jsonName}=${value}`];
    }
    if (fieldKind === "list") yield [`${jsonName}: 900 times`, `${jsonName}=&`.repeat(900)];
  }
}

/** A message in its envelope, as streams and gRPC send it. */
function enveloped(bytes: Uint8Array, flags = 0): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
