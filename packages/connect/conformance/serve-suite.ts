import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { type HttpListener, listenHttp, type TlsCredentials } from "@rialto/http";
import { createConnectHandler } from "../src/index.ts";
import { jsonOptions } from "./compat-values.ts";
import { conformanceService } from "./conformance-service.ts";
import { ConformanceService } from "./gen/connectrpc/conformance/v1/service_pb.js";
import { host } from "./server-compat.ts";

/** Serves the suite's service on a free port, by our handlers or by the official adapter. */
export function serveSuite(o: {
  readonly stock?: boolean;
  readonly tls?: TlsCredentials | undefined;
  /** The largest message that is received; 0 for any. */
  readonly receiveBytesMax?: number;
}): Promise<HttpListener> {
  const { receiveBytesMax = 0 } = o;
  const onRequest = createConnectHandler({
    unaryPath: o.stock === true ? "stock" : "fast",
    routes: (router) => router.service(ConformanceService, conformanceService),
    acceptCompression: [compressionGzip, compressionBrotli],
    jsonOptions,
    ...(receiveBytesMax > 0 ? { readMaxBytes: receiveBytesMax } : {}),
  });
  return listenHttp({
    port: 0,
    host,
    tls: o.tls,
    streamsMax: 100,
    // The suite cancels calls one after another, over one connection.
    streamResets: { burst: 1_000_000, perSecond: 1_000_000 },
    onRequest,
    onStream: onRequest.onStream,
  });
}
