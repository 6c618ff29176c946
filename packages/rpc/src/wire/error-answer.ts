import type { Answer, Fields } from "@rialto/connect";
import type { CallError } from "../errors/call-error.ts";
import { encodeError } from "./error-response.ts";
import { boundedFields, grpcTrailers, grpcWebTrailers } from "./grpc-error.ts";

/**
 * An error as the answer of a unary call: the same as `errorResponse`, without web headers. gRPC's is its head alone,
 * which the protocol calls Trailers-Only.
 */
export function errorAnswer(
  error: CallError,
  call: { readonly protocol: "connect" | "grpc" | "grpc-web"; readonly contentType: string },
  fields: Fields,
): Answer {
  const headers: Fields = { ...fields, ...error.http.headers, "content-type": call.contentType };
  if (call.protocol === "grpc") return { status: 200, headers: { ...headers, ...boundedFields(grpcTrailers(error)) } };
  if (call.protocol === "grpc-web") return withBody(200, headers, grpcWebTrailers(error));
  const encoded = encodeError(error, { ...call, protocol: "connect" });
  const seconds = error.metadata.retry_after_seconds;
  if (seconds !== undefined) headers["retry-after"] = seconds;
  return withBody(encoded.status, { ...headers, ...encoded.headers }, encoded.body ?? new Uint8Array());
}

function withBody(status: number, headers: Fields, body: Uint8Array): Answer {
  return { status, headers: { ...headers, "content-length": `${body.byteLength}` }, body };
}
