import { type JsonObject, toJson } from "@bufbuild/protobuf";
import type { CallError } from "../errors/call-error.ts";
import { codes } from "../errors/codes.ts";
import { errorDetails } from "./error-details.ts";

/**
 * An error of the REST API: google.rpc.Status in JSON. Also for requests that are refused before their protocol is
 * known.
 */
export function restErrorJson(error: CallError): JsonObject {
  const details = errorDetails(error).map(({ desc, value }): JsonObject => {
    // The details are messages, not well-known types: their JSON is an object.
    const json = toJson(desc, value) as JsonObject;
    return { "@type": `type.googleapis.com/${desc.typeName}`, ...json };
  });
  return { code: codes[error.code].number, message: error.message, details };
}
