import { create, toBinary, toJson, toJsonString } from "@bufbuild/protobuf";
import { CreateProductRequestSchema, GetProductRequestSchema } from "@rialto/contracts";

export const service = "/rialto.product.v1.ProductService";

/** What a request is made of, before its parts are put together. */
export interface Draft {
  method: string;
  path: string;
  query: [name: string, value: string][];
  headers: [name: string, value: string][];
  message: Buffer;
  /** Undefined where the message is the body, or stands in the query. */
  flags: number | undefined;
  /** What is put behind the first envelope, or behind the body. */
  behind: Buffer;
  /** Bytes that are cut off the body. */
  cutBytes: number;
  /** Bytes that the head announces and the connection does not bring. HTTP/1.1 only. */
  missingBytes: number;
  isChunked: boolean;
}

/** Picks at random, by a seed. */
export interface Pick {
  /** From 0 up to below `end`. */
  below(end: number): number;
  of<T>(values: readonly [T, ...T[]]): T;
  chance(share: number): boolean;
}

const ids = ["1", "", "refused", "defect", "unwritable", "nothing", "long", "ü – 100 %", "x".repeat(3_000)] as const;

export function draftOf(pick: Pick): Draft {
  const isBinary = pick.chance(0.5);
  const [name, message] = messageOf(pick, isBinary);
  const format = isBinary ? "proto" : "json";
  const common = {
    method: "POST",
    path: `${service}/${name}`,
    query: [],
    message,
    flags: undefined,
    behind: Buffer.alloc(0),
    cutBytes: 0,
    missingBytes: 0,
    isChunked: pick.chance(0.2),
  };
  const way = pick.of(["connect", "connect", "get", "grpc", "grpc", "grpc-web", "grpc-web", "connect-stream"]);
  if (way === "connect") return { ...common, headers: [["content-type", `application/${format}`]] };
  if (way === "get") return { ...common, method: "GET", query: queryOf(pick, format, message), headers: [] };
  const type = way === "connect-stream" ? `connect+${format}` : isBinary && pick.chance(0.5) ? way : `${way}+${format}`;
  const headers: Draft["headers"] = [["content-type", `application/${type}`]];
  if (way === "grpc") headers.push(["te", "trailers"]);
  return { ...common, headers, flags: 0 };
}

function messageOf(pick: Pick, isBinary: boolean): [method: string, message: Buffer] {
  const id = pick.of(ids);
  if (pick.chance(0.2)) {
    const product = { name: id, category: "cups", price: { currencyCode: "EUR", minorUnits: 1_250n }, active: true };
    const message = create(CreateProductRequestSchema, { product });
    if (isBinary) return ["CreateProduct", Buffer.from(toBinary(CreateProductRequestSchema, message))];
    return ["CreateProduct", Buffer.from(JSON.stringify(toJson(CreateProductRequestSchema, message)))];
  }
  const message = create(GetProductRequestSchema, { id });
  const name = pick.of(["GetProduct", "GetProduct", "GetProduct", "ListProducts"]);
  if (isBinary) return [name, Buffer.from(toBinary(GetProductRequestSchema, message))];
  return [name, Buffer.from(toJsonString(GetProductRequestSchema, message))];
}

function queryOf(pick: Pick, format: string, message: Buffer): Draft["query"] {
  const isBase64 = format === "proto" || pick.chance(0.5);
  const text = isBase64 ? message.toString("base64url") : encodeURIComponent(message.toString());
  return [
    ["connect", "v1"],
    ["encoding", format],
    ...(isBase64 ? [["base64", "1"] satisfies [string, string]] : []),
    ["message", text],
  ];
}
