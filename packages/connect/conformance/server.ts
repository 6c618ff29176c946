/**
 * The server under test: is told on its standard input what to serve, says on its standard output where it listens, and
 * serves until it is ended. `--stock` serves by the official adapter.
 */
import { parseArgs } from "node:util";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { listenHttp } from "@rialto/http";
import { createConnectHandler } from "../src/index.ts";
import { jsonOptions } from "./compat-values.ts";
import { conformanceService } from "./conformance-service.ts";
import { delimited, readDelimited } from "./delimited.ts";
import {
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from "./gen/connectrpc/conformance/v1/server_compat_pb.js";
import { ConformanceService } from "./gen/connectrpc/conformance/v1/service_pb.js";

const { values } = parseArgs({ options: { stock: { type: "boolean", default: false } } });

const { value: bytes } = await readDelimited(process.stdin).next();
if (bytes === undefined) throw new Error("nothing was said to serve");
const { messageReceiveLimit, useTls, serverCreds } = fromBinary(ServerCompatRequestSchema, bytes);

const onRequest = createConnectHandler({
  unaryPath: values.stock ? "stock" : "fast",
  routes: (router) => router.service(ConformanceService, conformanceService),
  acceptCompression: [compressionGzip, compressionBrotli],
  jsonOptions,
  ...(messageReceiveLimit > 0 ? { readMaxBytes: messageReceiveLimit } : {}),
});
const tls =
  useTls && serverCreds !== undefined
    ? { cert: Buffer.from(serverCreds.cert).toString(), key: Buffer.from(serverCreds.key).toString() }
    : undefined;
const host = "127.0.0.1";
const { port } = await listenHttp({
  port: 0,
  host,
  tls,
  streamsMax: 100,
  streamResets: unlimited(),
  onRequest,
  onStream: onRequest.onStream,
});
const response = create(ServerCompatResponseSchema, {
  host,
  port,
  ...(tls === undefined ? {} : { pemCert: Buffer.from(tls.cert) }),
});
process.stdout.write(delimited(toBinary(ServerCompatResponseSchema, response)));
process.once("SIGTERM", () => process.exit());

/** The suite cancels calls one after another, over one connection. */
function unlimited() {
  return { burst: 1_000_000, perSecond: 1_000_000 };
}
