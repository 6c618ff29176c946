import type { IncomingMessage, ServerResponse } from "node:http";
import { callErrors, endWithHead, isHealthPath, protocolOf } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import { grpcStatus } from "../errors/grpc-error.ts";
import { connectEndOfStream, connectError, refused, restError } from "../errors/refused.ts";

/** Interval of the log line that counts refusals. */
const logMs = 1_000;

const { answer } = refused(callErrors.TEMPORARILY_UNAVAILABLE, { message: "Too busy for now." });
const connectBody = Buffer.from(JSON.stringify(connectError(answer)));
const restBody = Buffer.from(JSON.stringify(restError(answer)));
const streamEnd = connectEndOfStream(answer);
const grpcHeaders = Object.entries(grpcStatus(answer));

/** Returns true for health: the HTTP pages and gRPC's service. They are answered under any load. */
export function isOfHealth(url = ""): boolean {
  return /^\/(health|health\/services|ready)(\?|$)/.test(url) || isHealthPath(url);
}

/** Refuses a request without reading its body: 503, in its protocol. */
export type RefuseEarly = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Makes the cheapest refusal. Its responses are built once, no exchange is made, and one log line per second counts
 * them. It is for addresses that send too much: whatever is spent on them is taken from others.
 */
export function createEarlyRefusal(o: {
  readonly headers: Readonly<Record<string, string>>;
  readonly log: Logger;
}): RefuseEarly {
  const headersOfAll = [...Object.entries(o.headers), ["retry-after", "1"] as const];
  let count = 0;
  const say = () => {
    o.log.warn({ refused: count }, "requests refused by their address");
    count = 0;
  };
  return (request, response) => {
    if (count === 0) setTimeout(say, logMs).unref();
    count += 1;
    const { status, body, headers } = answerFor(request);
    for (const [name, value] of headersOfAll) response.setHeader(name, value);
    if (body === undefined) return endWithHead(response, status, headers);
    for (const [name, value] of headers) response.setHeader(name, value);
    response.statusCode = status;
    response.end(request.method === "HEAD" ? undefined : body);
  };
}

function answerFor({ url = "", headers: { "content-type": type = "" } }: IncomingMessage): {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array;
} {
  const isRpc = url.startsWith("/rialto.") || url.startsWith("/grpc.");
  const protocol = isRpc ? protocolOf(new Headers({ "content-type": type })) : "connect";
  switch (protocol) {
    case "grpc":
    case "grpc-web":
      return { status: 200, headers: [["content-type", type], ...grpcHeaders] };
    case "connect-stream":
      return { status: 200, headers: [["content-type", type]], body: streamEnd };
    case "connect": {
      const body = isRpc ? connectBody : restBody;
      return {
        status: 503,
        headers: [
          ["content-type", "application/json"],
          ["content-length", `${body.length}`],
        ],
        body,
      };
    }
  }
}
