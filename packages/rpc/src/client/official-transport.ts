import { createTransport } from "@connectrpc/connect/protocol-connect";
import { messageBytesMax } from "../limits.ts";
import type { FetchOptions, Upstream } from "../upstream/upstream.ts";

/** Creates the official transport over an upstream: binary Connect, uncompressed, and no interceptor. */
export function createOfficialTransport(upstream: Upstream, o: FetchOptions) {
  return createTransport({
    // The upstream replaces the origin of the URL by a replica's.
    baseUrl: "http://upstream",
    httpClient: (request) => upstream.fetch(request, o),
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: messageBytesMax,
    readMaxBytes: messageBytesMax,
    writeMaxBytes: messageBytesMax,
  });
}
