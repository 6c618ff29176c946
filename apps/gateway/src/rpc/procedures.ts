import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { CallError, callErrors, httpMethodsOf, protocolOf, type WireProtocol } from "@rialto/rpc";
import { isPublished, procedureOf } from "../contract.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { wrongMethod } from "../rest/routes.ts";
import { binaryTypeOf } from "./web-text.ts";

/** Returns the published methods by their path. */
export function publishedMethods(services: readonly DescService[]): ReadonlyMap<string, DescMethod> {
  const methods = services.flatMap((service) => service.methods).filter(isPublished);
  return new Map(methods.map((method) => [procedureOf(method), method]));
}

/** Returns true for a path of the shape of a procedure, whether it exists or not. No route or page has its shape. */
export function isProcedurePath(path: string): boolean {
  return /^\/[a-z0-9_]+\.[a-z0-9_.]+\.[A-Za-z0-9_]+\/[A-Za-z0-9_]+$/.test(path);
}

/** Returns true for a call in gRPC or gRPC-Web, at any path. Its client understands no other kind of response. */
export function isGrpc({ request }: Exchange): boolean {
  return request.method === "POST" && /^application\/grpc([+;-]|\s*$)/i.test(request.headers["content-type"] ?? "");
}

/** Returns the protocol of a request to a procedure. gRPC-Web's text mode counts as gRPC-Web. */
export function protocolAt({ request }: Exchange): WireProtocol {
  return protocolOf(new Headers({ "content-type": binaryTypeOf(request.headers["content-type"] ?? "") }));
}

/**
 * Throws 405 or 415 for a request that is neither Connect nor gRPC, before a service is called. Which encodings a
 * method accepts is up to its service.
 */
export function requireRpc({ request }: Exchange, method: DescMethod): void {
  if (request.method === "POST" && isPlainUnary(request.headers["content-type"])) return;
  const methods = httpMethodsOf(method);
  if (!methods.includes(request.method ?? "")) throw wrongMethod(methods);
  if (request.method === "GET") return;
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (/^application\/((connect\+)?(proto|json)|grpc(-web(-text)?)?(\+(proto|json))?)$/.test(type)) return;
  throw new CallError(callErrors.INVALID_REQUEST, {
    message: `The content type must be one of ${contentTypes}.`,
    http: { status: 415, headers: { "accept-post": contentTypes } },
  });
}

/** Whether a content type is one of unary Connect, written as nearly all clients write it. */
export function isPlainUnary(contentType: string | undefined): boolean {
  return contentType === "application/json" || contentType === "application/proto";
}

const contentTypes = ["", "connect+", "grpc+", "grpc-web+", "grpc-web-text+"]
  .flatMap((start) => [`application/${start}json`, `application/${start}proto`])
  .join(", ");
