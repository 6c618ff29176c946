import type { IncomingMessage, ServerResponse } from "node:http";
import { CallError, callErrors, encodeError, endWithHead, isHealthPage, isHealthPath, protocolOf } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";

/** The interval of the log line that counts the refused requests. */
const logMs = 1_000;

const error = new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { message: "Too busy for now." });
const encode = (protocol: Parameters<typeof encodeError>[1]["protocol"]) =>
  encodeError(error, { protocol, contentType: "" });
const encoded = {
  rest: encode("rest"),
  connect: encode("connect"),
  "connect-stream": encode("connect-stream"),
  grpc: encode("grpc"),
  "grpc-web": encode("grpc-web"),
};

/** Returns true for health: the HTTP pages and gRPC's service. They are answered under any load. */
export function isOfHealth(url = ""): boolean {
  return isHealthPage(url) || isHealthPath(url);
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
    const { url = "", headers: asked } = request;
    const contentType = asked["content-type"] ?? "";
    const isRpc = url.startsWith("/rialto.") || url.startsWith("/grpc.");
    const protocol = isRpc ? protocolOf(new Headers({ "content-type": contentType })) : "rest";
    const { status, headers, body } = encoded[protocol];
    for (const [name, value] of headersOfAll) response.setHeader(name, value);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (protocol !== "rest" && protocol !== "connect") response.setHeader("content-type", contentType);
    if (body === undefined) return endWithHead(response, status, []);
    response.setHeader("content-length", body.byteLength);
    response.statusCode = status;
    response.end(request.method === "HEAD" ? undefined : body);
  };
}
