import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { errorResponse } from "./error-response.ts";
import type { HttpResponse } from "./http-message.ts";

/**
 * The HTTP methods that call a method of the contract. GET is among them where the method is unary and has no side
 * effects.
 */
export function httpMethodsOf({ methodKind, idempotency }: DescMethod): readonly string[] {
  const isRead = methodKind === "unary" && idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return isRead ? ["GET", "POST"] : ["POST"];
}

/**
 * Adds a reason, and what the method accepts, where Connect's library refused a call by the HTTP status alone: 405 and
 * 415.
 */
export function withHttpReason(response: HttpResponse, method: DescMethod): HttpResponse {
  const { status } = response;
  if (status === 405) {
    const allow = httpMethodsOf(method).join(", ");
    const message = `This method takes ${allow}.`;
    return errorResponse(new CallError(callErrors.METHOD_UNKNOWN, { message, http: { status, headers: { allow } } }));
  }
  if (status === 415) {
    const types = method.methodKind === "unary" ? unaryTypes : streamTypes;
    const message = `The content type, or the encoding that a GET names, must be one of ${types}.`;
    const http = { status, headers: { "accept-post": types } };
    return errorResponse(new CallError(callErrors.INVALID_REQUEST, { message, http }));
  }
  return response;
}

const typesOf = (starts: readonly string[]) =>
  starts.flatMap((start) => [`application/${start}json`, `application/${start}proto`]).join(", ");
const unaryTypes = typesOf(["", "grpc+", "grpc-web+"]);
const streamTypes = typesOf(["connect+", "grpc+", "grpc-web+"]);
