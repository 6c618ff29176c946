import { grpcStatusBytesMax } from "../limits.ts";

/** How a gRPC call ended: its number and its text, and google.rpc.Status with its details. */
const statusHeader = "grpc-status";
const messageHeader = "grpc-message";

/**
 * The trailers of an answer within the size that every client takes (8 KiB is what many proxies and clients read of all headers together): where they
 * are larger the details go, then all but the status, and the text is cut. Larger ones are no mere loss of their call: HTTP/2 ends the connection that
 * many calls share over them.
 */
export function boundedStatus(trailer: Headers): Headers {
  if (bytesOf(trailer) <= grpcStatusBytesMax) return trailer;
  const short = new Headers(trailer);
  short.delete("grpc-status-details-bin");
  if (bytesOf(short) <= grpcStatusBytesMax) return short;
  const least = new Headers();
  for (const name of [statusHeader, messageHeader]) {
    const value = trailer.get(name);
    if (value !== null) least.set(name, cut(value));
  }
  return least;
}

/** What headers take up of a frame at the most, as HTTP/2 counts them: RFC 9113, section 6.5.2. */
function bytesOf(headers: Headers): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length + 32;
  return bytes;
}

const messageCharsMax = 1_024;

/** Text as gRPC writes it, percent-encoded: no byte of it is cut in two. */
function cut(value: string): string {
  return value.slice(0, messageCharsMax).replace(/%[0-9A-Fa-f]?$/, "");
}
