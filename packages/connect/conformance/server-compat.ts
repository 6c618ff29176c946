import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { TlsCredentials } from "@rialto/http";
import { delimited, readDelimited } from "./delimited.ts";
import {
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from "./gen/connectrpc/conformance/v1/server_compat_pb.js";

/** Where a server under test listens. */
export const host = "127.0.0.1";

/** What the runner asks of a server under test. */
export interface ServerRequest {
  /** The largest message that it receives; 0 for any. */
  readonly receiveBytesMax: number;
  readonly tls: TlsCredentials | undefined;
}

/** Reads the request of the runner on the standard input. */
export async function readServerRequest(): Promise<ServerRequest> {
  const { value: bytes } = await readDelimited(process.stdin).next();
  if (bytes === undefined) throw new Error("the runner sent no request");
  const { messageReceiveLimit, useTls, serverCreds } = fromBinary(ServerCompatRequestSchema, bytes);
  const tls =
    useTls && serverCreds !== undefined
      ? { cert: Buffer.from(serverCreds.cert).toString(), key: Buffer.from(serverCreds.key).toString() }
      : undefined;
  return { receiveBytesMax: messageReceiveLimit, tls };
}

/** Writes to the standard output where the server listens, and ends the process when the runner does. */
export function writeServerResponse(port: number, { tls }: ServerRequest): void {
  const response = create(ServerCompatResponseSchema, {
    host,
    port,
    ...(tls === undefined ? {} : { pemCert: Buffer.from(tls.cert) }),
  });
  process.stdout.write(delimited(toBinary(ServerCompatResponseSchema, response)));
  process.once("SIGTERM", () => process.exit());
}
