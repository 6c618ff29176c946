import { gunzipSync } from "node:zlib";
import { compressedFlag } from "@connectrpc/connect/protocol";
import { trailerFlag } from "@connectrpc/connect/protocol-grpc-web";
import type { RawAnswer, RawRequest } from "./raw-requests.ts";
import { enveloped } from "./wire.ts";

/** A difference between the fast path and the official adapter that is meant to be. */
export interface WantedDifference {
  readonly name: string;
  readonly reason: string;
  /** A request that shows it. */
  readonly example: RawRequest;
  /** Whether a pair of answers differs in this way. */
  is(request: RawRequest, fast: RawAnswer, stock: RawAnswer): boolean;
}

const example: RawRequest = {
  seed: 1,
  title: "an example",
  version: "1.1",
  method: "POST",
  target: "/rialto.product.v1.ProductService/GetProduct",
  headers: [["content-type", "application/grpc-web+json"]],
  body: enveloped("{}"),
  missingBytes: 0,
  isChunked: false,
  isFollowed: false,
};

/** More than any handler of the test takes, or its port holds at once. */
const largeBytes = 100_000;
const large = enveloped(Buffer.alloc(largeBytes * 3, " "));

export const wantedDifferences: readonly WantedDifference[] = [
  {
    name: "a client that ends its connection within a request of gRPC hears nothing of the message",
    reason: "The fast path decodes a request when it is whole, as Connect's handler does; stock decodes what has come.",
    example: { ...example, body: enveloped("no JSON"), missingBytes: 10 },
    is: ({ missingBytes }, fast, stock) =>
      missingBytes > 0 && fast.status === 400 && fast.body === notWhole && stock.status === 200 && isGrpc(stock),
  },
  {
    name: "a message of which nothing but its length has come is incomplete, and not missing",
    reason: "Stock forgets the length when the body ends there: the caller reads that the method is unimplemented.",
    example: { ...example, body: enveloped("{}").subarray(0, 5) },
    is: (_request, fast, stock) =>
      isGrpc(fast) && statusOf(fast).includes("incomplete%20envelope") && !statusOf(stock).includes("incomplete"),
  },
  {
    name: "trailers in a request of gRPC-Web are skipped as they are, compressed or not",
    reason: "They are no message: stock decompresses them first, and refuses what it then skips.",
    example: {
      ...example,
      headers: [...example.headers, ["grpc-encoding", "gzip"]],
      body: enveloped("no gzip", trailerFlag | compressedFlag),
    },
    is: ({ body }, fast, stock) =>
      envelopesOf(body).some(({ flags }) => (flags & trailerFlag) !== 0 && (flags & compressedFlag) !== 0) &&
      isGrpc(fast) &&
      isGrpc(stock) &&
      /decompression%20failed|after%20decompression/.test(statusOf(stock)),
  },
  {
    name: "a connection of HTTP/1.1 goes on after a message that is too large",
    reason: "Stock closes it, or leaves the next request without an answer, though the client did nothing wrong there.",
    example: { ...example, body: large, isFollowed: true },
    is: ({ isFollowed, body }, fast, stock) =>
      isFollowed && body.length > largeBytes && fast.next === 200 && stock.next === 0,
  },
];

/** What the port says of a request that never became whole. */
const notWhole = "The request is not well-formed HTTP.";

interface Envelope {
  readonly flags: number;
  readonly data: Buffer;
}

function envelopesOf(body: Buffer): readonly Envelope[] {
  const found: Envelope[] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    found.push({ flags: body[at] ?? 0, data: body.subarray(at + 5, end) });
    at = end;
  }
  return found;
}

function isGrpc({ headers }: RawAnswer): boolean {
  return headers.some((header) => header.startsWith("content-type: application/grpc"));
}

/** Status and message of gRPC, which gRPC-Web has in its body, compressed where the request was. */
function statusOf({ trailers, body }: RawAnswer): string {
  return `${trailers.join("\n")}\n${envelopesOf(Buffer.from(body, "latin1")).map(textOf).join("\n")}`;
}

function textOf({ flags, data }: Envelope): string {
  return ((flags & compressedFlag) === 0 ? data : gunzipSync(data)).toString("latin1");
}
