import { contentTypeUnaryRegExp, parseContentType as parseConnect } from "@connectrpc/connect/protocol-connect";
import { parseContentType as parseGrpc } from "@connectrpc/connect/protocol-grpc";
import { parseContentType as parseGrpcWeb } from "@connectrpc/connect/protocol-grpc-web";
import { connectGet, connectPost } from "./connect-unary.ts";
import type { Exchange } from "./exchange.ts";
import { grpc } from "./grpc-unary.ts";
import { grpcWeb } from "./grpc-web-unary.ts";
import type { UnaryMethod } from "./unary-method.ts";
import type { UnaryProtocol } from "./unary-protocol.ts";

/** A protocol, and the format of its messages. */
export interface Spoken {
  readonly protocol: UnaryProtocol;
  readonly isBinary: boolean;
}

/**
 * Returns how a unary call is spoken. Undefined for everything that the fast path leaves to the official handlers:
 * another HTTP method, an unknown content type or encoding, a protocol that the method is not served by.
 */
export function chooseProtocol(unary: UnaryMethod, exchange: Exchange): Spoken | undefined {
  const type = exchange.headers["content-type"] ?? "";
  if (exchange.method === "POST") {
    const spoken = known.get(type) ?? spokenBy(type);
    return spoken !== undefined && isServed(unary, spoken.protocol) ? spoken : undefined;
  }
  if (exchange.method !== "GET" || !unary.isRead || !unary.protocols.connect) return undefined;
  if (type !== "" && !contentTypeUnaryRegExp.test(type)) return undefined;
  const query = queryOf(exchange);
  const encoding = query.get("encoding");
  if (encoding !== "json" && encoding !== "proto") return undefined;
  return { protocol: connectGet(query), isBinary: encoding === "proto" };
}

/** What clients send, for which no expression need run. */
const known: ReadonlyMap<string, Spoken> = new Map([
  ["application/json", { protocol: connectPost, isBinary: false }],
  ["application/proto", { protocol: connectPost, isBinary: true }],
  ["application/grpc", { protocol: grpc, isBinary: true }],
  ["application/grpc+proto", { protocol: grpc, isBinary: true }],
  ["application/grpc-web", { protocol: grpcWeb, isBinary: true }],
  ["application/grpc-web+proto", { protocol: grpcWeb, isBinary: true }],
]);

function spokenBy(type: string): Spoken | undefined {
  const asGrpc = parseGrpc(type);
  if (asGrpc !== undefined) return { protocol: grpc, isBinary: asGrpc.binary };
  const asWeb = parseGrpcWeb(type);
  // In base64 it is served by nobody here.
  if (asWeb !== undefined) return asWeb.text ? undefined : { protocol: grpcWeb, isBinary: asWeb.binary };
  const asConnect = contentTypeUnaryRegExp.test(type) ? parseConnect(type) : undefined;
  return asConnect === undefined ? undefined : { protocol: connectPost, isBinary: asConnect.binary };
}

function isServed({ protocols }: UnaryMethod, { name }: UnaryProtocol): boolean {
  if (name === "connect") return protocols.connect;
  return name === "grpc" ? protocols.grpc : protocols.grpcWeb;
}

/** The query of a GET. A fragment is none of it. */
function queryOf({ target }: Exchange): URLSearchParams {
  const [beforeFragment = ""] = target.split("#", 1);
  const start = beforeFragment.indexOf("?");
  return new URLSearchParams(start === -1 ? "" : beforeFragment.slice(start + 1));
}
