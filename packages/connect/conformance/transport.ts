import type { Compression } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { type ClosableTransport, createTransport, type TransportOptions } from "../src/index.ts";
import { jsonOptions } from "./compat-values.ts";
import type { ClientCompatRequest } from "./gen/connectrpc/conformance/v1/client_compat_pb.js";
import {
  Codec,
  Compression as CompressionName,
  HTTPVersion,
  Protocol,
} from "./gen/connectrpc/conformance/v1/config_pb.js";

/** The transport that a call asks for: protocol, HTTP version, codec, compression, certificates and limits. */
export function createTransportFor(request: ClientCompatRequest, { stock }: { stock: boolean }): ClosableTransport {
  const compression = compressionOf(request.compression);
  return createTransport({
    baseUrl: `${request.serverTlsCert.length > 0 ? "https" : "http"}://${request.host}:${request.port}`,
    protocol: named(protocols, request.protocol),
    httpVersion: named(httpVersions, request.httpVersion),
    useBinaryFormat: request.codec === Codec.PROTO,
    useHttpGet: request.useGetHttpMethod,
    sendCompression: compression ?? null,
    acceptCompression: compression === undefined ? [] : [compression],
    // The suite's messages may be empty, and are compressed all the same.
    compressMinBytes: -1,
    ...(request.messageReceiveLimit > 0 ? { readMaxBytes: request.messageReceiveLimit } : {}),
    ...(request.timeoutMs === undefined ? {} : { defaultTimeoutMs: request.timeoutMs }),
    jsonOptions,
    tls: credentialsOf(request),
    stock,
  });
}

const protocols: ReadonlyMap<Protocol, TransportOptions["protocol"]> = new Map([
  [Protocol.CONNECT, "connect"],
  [Protocol.GRPC, "grpc"],
  [Protocol.GRPC_WEB, "grpc-web"],
]);

const httpVersions: ReadonlyMap<HTTPVersion, TransportOptions["httpVersion"]> = new Map([
  [HTTPVersion.HTTP_VERSION_1, "1.1"],
  [HTTPVersion.HTTP_VERSION_2, "2"],
]);

const compressions: ReadonlyMap<CompressionName, Compression | undefined> = new Map([
  [CompressionName.UNSPECIFIED, undefined],
  [CompressionName.IDENTITY, undefined],
  [CompressionName.GZIP, compressionGzip],
  [CompressionName.BR, compressionBrotli],
]);

function compressionOf(name: CompressionName): Compression | undefined {
  if (!compressions.has(name)) throw new Error(`unknown compression: ${name}`);
  return compressions.get(name);
}

function named<K, V>(values: ReadonlyMap<K, V>, key: K): V {
  const value = values.get(key);
  if (value === undefined) throw new Error(`not supported: ${key}`);
  return value;
}

function credentialsOf({ serverTlsCert, clientTlsCreds }: ClientCompatRequest): NonNullable<TransportOptions["tls"]> {
  return {
    ca: Buffer.from(serverTlsCert),
    ...(clientTlsCreds === undefined
      ? {}
      : { key: Buffer.from(clientTlsCreds.key), cert: Buffer.from(clientTlsCreds.cert) }),
  };
}
