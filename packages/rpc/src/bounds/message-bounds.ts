import type { DescMethod } from "@bufbuild/protobuf";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { FieldViolation } from "../errors/error-table.ts";
import type { RequestSize } from "./request-size.ts";
import { scanBinary } from "./scan-binary.ts";
import { scanJson } from "./scan-json.ts";

/** A message is refused by its bytes, before it is decoded. */
export class MessageRefused extends Error {
  override name = "MessageRefused";
  readonly violation: FieldViolation;

  constructor(violation: FieldViolation) {
    super(violation.description);
    this.violation = violation;
  }
}

/**
 * Returns the bytes of a message that its method may decode: its size, its fields and its depth are within bounds.
 * Throws MessageRefused.
 */
export function checkMessage(
  bytes: Uint8Array,
  { method, size, isJson }: { readonly method: DescMethod; readonly size: RequestSize; readonly isJson: boolean },
): Uint8Array {
  if (bytes.length > size.bytes) throw new MessageRefused(tooLarge(size));
  const scan = isJson ? scanJson(method.input, bytes, size) : { ...scanBinary(method.input, bytes, size), bytes };
  if (scan.violation !== undefined) throw new MessageRefused(scan.violation);
  return scan.bytes;
}

/** The error of a request with such a message. */
export function refusalFor(violation: FieldViolation, { isGrpc }: { readonly isGrpc: boolean }): CallError {
  // gRPC has RESOURCE_EXHAUSTED for a message that is too large. In Connect its HTTP status would be 429, a rate
  // limit.
  const code = isGrpc && violation.rule === bytesRule ? "resource_exhausted" : callErrors.INVALID_REQUEST.code;
  return new CallError({ ...callErrors.INVALID_REQUEST, code }, { fields: [violation] });
}

/** The violation of a body that is larger than a request of its method may be, compressed or decompressed. */
export function tooLarge({ bytes }: Pick<RequestSize, "bytes">): FieldViolation {
  return { field: "", description: `must have at most ${bytes} bytes, compressed or not`, rule: bytesRule };
}

/** The violation of a body that is not compressed as it says. */
export function noCompression(name: string): FieldViolation {
  return { field: "", description: `is no ${name}`, rule: "request.compression" };
}

/** The violation of a GET whose message is not encoded as it says. */
export const noBase64: FieldViolation = { field: "", description: "is no base64", rule: "request.base64" };

/** Bytes of the heads of a message and of the envelope after it. */
export const envelopesBytesMax = 64;

const bytesRule = "request.bytes";
