import { type CommonTransportOptions, validateReadWriteMaxBytes } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { Http2ConnectionOptions } from "./http2-connection.ts";

/** Options of a transport. Those that have the name of an official option mean the same. */
export type TransportOptions = Pick<CommonTransportOptions, "baseUrl"> &
  Partial<Omit<CommonTransportOptions, "baseUrl" | "httpClient">> &
  Omit<Http2ConnectionOptions, "origin"> & {
    readonly protocol: "connect" | "grpc" | "grpc-web";
    readonly httpVersion: "1.1" | "2";
    /**
     * How many connections unary calls use. HTTP/2: 1 where it is not given. HTTP/1.1: 256 where it is not given; a
     * call above it waits for another to end.
     */
    readonly connectionsMax?: number;
    /** Puts unary calls on the official transports too. */
    readonly stock?: boolean;
  };

/** The options with their defaults, which are those of the official transports. */
export type ResolvedOptions = Omit<CommonTransportOptions, "httpClient"> &
  Omit<TransportOptions, keyof CommonTransportOptions>;

/** Throws a `ConnectError` for a limit that is not possible. */
export function resolveOptions(o: TransportOptions): ResolvedOptions {
  return {
    ...o,
    useBinaryFormat: o.useBinaryFormat ?? true,
    interceptors: o.interceptors ?? [],
    acceptCompression: o.acceptCompression ?? [compressionGzip, compressionBrotli],
    sendCompression: o.sendCompression ?? null,
    ...validateReadWriteMaxBytes(o.readMaxBytes, o.writeMaxBytes, o.compressMinBytes),
  };
}
