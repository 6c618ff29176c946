import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { callErrors } from "../errors/call-errors.ts";
import { type Refusal, refuse } from "../errors/errors.ts";
import { type ByteResponse, byteErrorResponse } from "./http-message.ts";

/** The methods of HTTP that a method of the contract is called with: GET where it has one answer and changes nothing. */
export function httpMethodsOf({ methodKind, idempotency }: DescMethod): readonly string[] {
  const isRead = methodKind === "unary" && idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return isRead ? ["GET", "POST"] : ["POST"];
}

/** Says why, and what is taken instead, where Connect refuses a call by HTTP's status alone: another method of HTTP, another content type. */
export function withHttpReason(response: ByteResponse, method: DescMethod): ByteResponse {
  const allow = httpMethodsOf(method).join(", ");
  switch (response.status) {
    case 405:
      return refusedBy(405, refuse({ ...callErrors.METHOD_UNKNOWN, message: `This method takes ${allow}.` }), {
        allow,
      });
    case 415: {
      const types = method.methodKind === "unary" ? unaryTypes : streamTypes;
      const message = `The content type, or the encoding that a GET names, must be one of ${types}.`;
      return refusedBy(415, refuse({ ...callErrors.INVALID_REQUEST, message }), { "accept-post": types });
    }
    default:
      return response;
  }
}

function refusedBy(status: number, refusal: Refusal, headers: Readonly<Record<string, string>>): ByteResponse {
  return { ...byteErrorResponse(refusal, new Headers(headers)), status };
}

const typesOf = (starts: readonly string[]) =>
  starts.flatMap((start) => [`application/${start}json`, `application/${start}proto`]).join(", ");
const unaryTypes = typesOf(["", "grpc+", "grpc-web+"]);
const streamTypes = typesOf(["connect+", "grpc+", "grpc-web+"]);
