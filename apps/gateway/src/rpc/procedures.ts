import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { callErrors, httpMethodsOf, protocolOf, type WireProtocol } from "@rialto/rpc";
import { isPublished, procedureOf } from "../contract.ts";
import { refused } from "../errors/refused.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { wrongMethod } from "../rest/routes.ts";
import { binaryTypeOf } from "./web-text.ts";

/** The methods that exist at the gateway, by their path. */
export function publishedMethods(services: readonly DescService[]): ReadonlyMap<string, DescMethod> {
  const methods = services.flatMap((service) => service.methods).filter(isPublished);
  return new Map(methods.map((method) => [procedureOf(method), method]));
}

/** True for a path that has the shape of a procedure, of the contract or of gRPC's own, whether there is one or not. */
export function isProcedurePath(path: string): boolean {
  return /^\/(rialto|grpc)\.[a-z0-9_.]+\.[A-Za-z0-9_]+\/[A-Za-z0-9_]+$/.test(path);
}

/** True for a call of gRPC or gRPC-Web, wherever it goes: its client understands no other answer. */
export function isGrpc({ request }: Exchange): boolean {
  return request.method === "POST" && /^application\/grpc([+;-]|\s*$)/i.test(request.headers["content-type"] ?? "");
}

/** How the client speaks at the path of a procedure; text mode is gRPC-Web too. */
export function protocolAt({ request }: Exchange): WireProtocol {
  return protocolOf(new Headers({ "content-type": binaryTypeOf(request.headers["content-type"] ?? "") }));
}

/**
 * Refuses what is neither Connect nor gRPC, before anything is asked of a service. Which encoding a method takes, its
 * service says.
 */
export function requireRpc({ request }: Exchange, method: DescMethod): void {
  const methods = httpMethodsOf(method);
  if (!methods.includes(request.method ?? "")) throw wrongMethod(methods);
  if (request.method === "GET") return;
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (/^application\/((connect\+)?(proto|json)|grpc(-web(-text)?)?(\+(proto|json))?)$/.test(type)) return;
  throw refused(callErrors.INVALID_REQUEST, {
    message: `The content type must be one of ${contentTypes}.`,
    httpStatus: 415,
    headers: { "accept-post": contentTypes },
  });
}

const contentTypes = ["", "connect+", "grpc+", "grpc-web+", "grpc-web-text+"]
  .flatMap((start) => [`application/${start}json`, `application/${start}proto`])
  .join(", ");
