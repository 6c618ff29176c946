import type * as tls from "node:tls";
import type { Transport } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import {
  compressionBrotli,
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { jsonOptions } from "./compat-values.ts";
import type { ClientCompatRequest } from "./gen/connectrpc/conformance/v1/client_compat_pb.js";
import {
  Codec,
  Compression as CompressionName,
  HTTPVersion,
  Protocol,
} from "./gen/connectrpc/conformance/v1/config_pb.js";

/** The transport that a call asks for: protocol, HTTP version, codec, compression, certificates and limits. */
export function createTransportFor(request: ClientCompatRequest): Transport {
  const compression = compressionOf(request.compression);
  const options = {
    baseUrl: `${request.serverTlsCert.length > 0 ? "https" : "http"}://${request.host}:${request.port}`,
    useBinaryFormat: request.codec === Codec.PROTO,
    ...(compression === undefined
      ? { acceptCompression: [] }
      : { sendCompression: compression, acceptCompression: [compression] }),
    // The suite's messages may be empty, and are compressed all the same.
    compressMinBytes: -1,
    ...(request.messageReceiveLimit > 0 ? { readMaxBytes: request.messageReceiveLimit } : {}),
    ...(request.timeoutMs === undefined ? {} : { defaultTimeoutMs: request.timeoutMs }),
    jsonOptions,
    nodeOptions: credentialsOf(request),
  };
  const { httpVersion } = request;
  if (httpVersion !== HTTPVersion.HTTP_VERSION_1 && httpVersion !== HTTPVersion.HTTP_VERSION_2) {
    throw new Error(`unknown HTTP version: ${httpVersion}`);
  }
  const isHttp1 = httpVersion === HTTPVersion.HTTP_VERSION_1;
  const { useGetHttpMethod: useHttpGet } = request;
  switch (request.protocol) {
    case Protocol.CONNECT:
      return isHttp1
        ? createConnectTransport({ ...options, useHttpGet, httpVersion: "1.1" })
        : createConnectTransport({ ...options, useHttpGet, httpVersion: "2" });
    case Protocol.GRPC:
      return createGrpcTransport(options);
    case Protocol.GRPC_WEB:
      return isHttp1
        ? createGrpcWebTransport({ ...options, httpVersion: "1.1" })
        : createGrpcWebTransport({ ...options, httpVersion: "2" });
    default:
      throw new Error(`unknown protocol: ${request.protocol}`);
  }
}

function compressionOf(name: CompressionName): Compression | undefined {
  if (name === CompressionName.UNSPECIFIED || name === CompressionName.IDENTITY) return undefined;
  if (name === CompressionName.GZIP) return compressionGzip;
  if (name === CompressionName.BR) return compressionBrotli;
  throw new Error(`unknown compression: ${name}`);
}

function credentialsOf({
  serverTlsCert,
  clientTlsCreds,
}: ClientCompatRequest): Pick<tls.SecureContextOptions, "ca" | "key" | "cert"> {
  return {
    ca: Buffer.from(serverTlsCert),
    ...(clientTlsCreds === undefined
      ? {}
      : { key: Buffer.from(clientTlsCreds.key), cert: Buffer.from(clientTlsCreds.cert) }),
  };
}
