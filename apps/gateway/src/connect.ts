import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { callErrors } from "@rialto/rpc";
import { isPublished, procedureOf } from "./contract.ts";
import type { Exchange } from "./exchange.ts";
import { refused } from "./refused.ts";

/** The methods that exist at the gateway, by their path. */
export function publishedMethods(services: readonly DescService[]): ReadonlyMap<string, DescMethod> {
  const methods = services.flatMap((service) => service.methods).filter(isPublished);
  return new Map(methods.map((method) => [procedureOf(method), method]));
}

/** True for a path that has the shape of a procedure of the contract, whether there is one or not. */
export function isProcedurePath(path: string): boolean {
  return /^\/rialto\.[a-z0-9_.]+\.[A-Za-z0-9_]+\/[A-Za-z0-9_]+$/.test(path);
}

/** True where errors travel in the last envelope of a stream, under HTTP 200. */
export function isStreamRequest({ request }: Exchange): boolean {
  return request.headers["content-type"]?.startsWith("application/connect+") ?? false;
}

/** Refuses what is not Connect, before anything is asked of a service. Which encoding a method takes, its service says. */
export function requireConnect({ request }: Exchange): void {
  if (request.method === "GET") return;
  if (request.method !== "POST")
    throw refused(callErrors.METHOD_UNKNOWN, { httpStatus: 405, headers: { allow: "GET, POST" } });
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (/^application\/(connect\+)?(proto|json)$/.test(type)) return;
  throw refused(callErrors.INVALID_REQUEST, {
    message:
      "The content type must be application/json, application/proto, application/connect+json or application/connect+proto.",
    httpStatus: 415,
    headers: {
      "accept-post": "application/json, application/proto, application/connect+json, application/connect+proto",
    },
  });
}
