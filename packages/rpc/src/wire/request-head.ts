import type { UnaryCall } from "@rialto/connect";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { HttpRequest } from "./http-message.ts";
import { protocolOf } from "./wire-protocol.ts";

const versionHeader = "connect-protocol-version";
const versionParameter = "connect";

/**
 * Returns the error of a call that names a version of the Connect protocol other than 1. A call that names none is
 * accepted: people write them by hand.
 */
export function versionRefusal({ method, url, header }: HttpRequest): CallError | undefined {
  if (protocolOf(header).startsWith("grpc")) return undefined;
  const isGet = method === "GET";
  return refusal(isGet, isGet ? new URL(url).searchParams.get(versionParameter) : header.get(versionHeader));
}

/** The same for a call of the fast path. */
export function versionRefusalOf(call: UnaryCall): CallError | undefined {
  if (call.protocolName !== "connect") return undefined;
  const { method, target } = call.exchange;
  if (method !== "GET") return refusal(false, call.header(versionHeader));
  return refusal(true, new URLSearchParams(target.slice(target.indexOf("?") + 1)).get(versionParameter));
}

function refusal(isGet: boolean, given: string | null): CallError | undefined {
  const known = isGet ? "v1" : "1";
  if (given === null || given === known) return undefined;
  const field = isGet ? versionParameter : versionHeader;
  return new CallError(callErrors.INVALID_REQUEST, { fields: [{ field, description: `must be ${known}` }] });
}

/**
 * The same request with a content type of gRPC that Connect knows: what follows it (`;charset=utf-8`) changes nothing,
 * and is no reason to refuse it.
 */
export function withPlainContentType(request: HttpRequest): HttpRequest {
  const type = request.header.get("content-type");
  if (type === null || !type.includes(";") || !protocolOf(request.header).startsWith("grpc")) return request;
  const header = new Headers(request.header);
  header.set("content-type", type.slice(0, type.indexOf(";")).trim());
  return { ...request, header };
}
