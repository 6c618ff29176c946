import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { trailerFlag } from "@connectrpc/connect/protocol-grpc-web";
import { StatusSchema } from "@rialto/contracts";
import type { CallError } from "../errors/call-error.ts";
import { codes, type ErrorCode } from "../errors/codes.ts";
import { grpcStatusBytesMax } from "../limits.ts";
import { errorDetails } from "./error-details.ts";

const statusHeader = "grpc-status";
const messageHeader = "grpc-message";
const detailsHeader = "grpc-status-details-bin";

/** The trailers of a failed gRPC call: number, percent-encoded message, google.rpc.Status. */
export function grpcTrailers(error: CallError): Readonly<Record<string, string>> {
  const code = codes[grpcCodeOf(error)].number;
  const { message } = error;
  const details = errorDetails(error).map(({ desc, value }) => anyPack(desc, value));
  const status = toBinary(StatusSchema, create(StatusSchema, { code, message, details }));
  const seconds = error.metadata.retry_after_seconds;
  return {
    ...(seconds !== undefined && { "retry-after": seconds }),
    [statusHeader]: `${code}`,
    [messageHeader]: percentEncoded(message),
    // gRPC writes binary headers without padding.
    [detailsHeader]: Buffer.from(status).toString("base64").replace(/=+$/, ""),
  };
}

/** The last frame of a gRPC-Web stream that failed: flag 128, length, the trailers as lines. */
export function grpcWebTrailers(error: CallError): Uint8Array {
  const lines = Object.entries(grpcTrailers(error)).map(([name, value]) => `${name}: ${value}\r\n`);
  return encodeEnvelope(trailerFlag, Buffer.from(lines.join(""), "latin1"));
}

/** True for bytes that begin with the trailer frame of a gRPC-Web stream. */
export function isTrailerFrame(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) & trailerFlag) !== 0;
}

/** gRPC has a code for messages that are too large, where HTTP has a status. */
function grpcCodeOf({ code, http }: CallError): ErrorCode {
  return http.status === 413 ? "resource_exhausted" : code;
}

/**
 * Text in a header, as gRPC's specification writes it: every byte outside printable ASCII, and the percent sign, by its
 * number.
 */
function percentEncoded(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
      return isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

/**
 * Bounds the trailers of a response to the size that every client accepts: many proxies and clients read at most 8 KiB
 * of all headers together. Where they are larger, the details are left out first, then everything but the status, and
 * the message is cut. Larger trailers cost more than their own call: HTTP/2 ends the connection that many calls share.
 */
export function boundedTrailers(trailer: Headers): Headers {
  if (bytesOf(trailer) <= grpcStatusBytesMax) return trailer;
  const short = new Headers(trailer);
  short.delete(detailsHeader);
  if (bytesOf(short) <= grpcStatusBytesMax) return short;
  const least = new Headers();
  for (const name of [statusHeader, messageHeader]) {
    const value = trailer.get(name);
    if (value !== null) least.set(name, cut(value));
  }
  return least;
}

/** The same for trailers in an object. */
export function boundedFields(trailers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (bytesOf(Object.entries(trailers)) <= grpcStatusBytesMax) return trailers;
  return Object.fromEntries(boundedTrailers(new Headers(trailers)));
}

/** The size of headers in a frame, as HTTP/2 counts it: RFC 9113, section 6.5.2. */
function bytesOf(headers: Iterable<readonly [name: string, value: string]>): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length + 32;
  return bytes;
}

const messageCharsMax = 1_024;

/** Cuts percent-encoded text between two bytes. */
function cut(value: string): string {
  return value.slice(0, messageCharsMax).replace(/%[0-9A-Fa-f]?$/, "");
}
