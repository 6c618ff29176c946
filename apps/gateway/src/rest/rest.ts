import { Buffer } from "node:buffer";
import type { ServerResponse } from "node:http";
import { CallError, callErrors, fromConnectErrorJson } from "@rialto/rpc";
import type { InFlightRequest } from "../admission/load-shedding.ts";
import { upstreamNameOf } from "../contract.ts";
import { bodyBytesMaxOf, bodyOf, readBody, textOfBody } from "../exchange/body.ts";
import type { AdmittedExchange } from "../exchange/exchange.ts";
import { callUpstream, type Upstreams } from "../upstream/upstream.ts";
import { compressed } from "./compression.ts";
import { parseQuery } from "./query-parameters.ts";
import type { RestRoute } from "./routes.ts";
import { connectRequestOf, restAnswerOf } from "./transcode.ts";

/** Answers a REST request with one unary Connect call in JSON. */
export async function answerRest(
  exchange: AdmittedExchange,
  route: RestRoute,
  values: readonly string[],
  upstreams: Upstreams,
  inFlight: InFlightRequest,
): Promise<void> {
  const { request, response } = exchange;
  if (!/^(identity)?$/i.test(request.headers["content-encoding"] ?? ""))
    throw unsupported("The body must not be compressed.");
  const to = { service: upstreamNameOf(route.method), isStream: false };
  const text = textOfBody(await inFlight.receive(bodyBytesMaxOf(route.method), to));
  if (text.trim() !== "") requireJson(request.headers["content-type"]);
  const body = connectRequestOf(route, values, parseQuery(exchange.query), text);

  const answer = await callUpstream(exchange, route.method, upstreams, {
    httpMethod: "POST",
    query: "",
    body: bodyOf(body),
    signal: exchange.signal,
    headers: { "content-type": "application/json", "accept-encoding": "identity", "connect-protocol-version": "1" },
  });

  const json = (await readBody(answer.body)).toString();
  if (answer.status !== 200) {
    const retryAfter = answer.header.get("retry-after");
    const headers = retryAfter === null ? undefined : { "retry-after": retryAfter };
    throw fromConnectErrorJson(parseOrUndefined(json), answer.status, { headers });
  }
  const out = Buffer.from(restAnswerOf(route, json));
  // Compressing a secret together with text that an attacker chooses reveals it by its size:
  // https://www.breachattack.com.
  const accepted = route.answersSecrets ? undefined : request.headers["accept-encoding"];
  const { bytes, encoding } = await compressed(out, accepted);
  if (!route.answersSecrets) response.setHeader("vary", varyOf(response));
  if (encoding !== undefined) response.setHeader("content-encoding", encoding);
  response.writeHead(200, { "content-type": "application/json", "content-length": bytes.byteLength });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

function varyOf(response: ServerResponse): string {
  const others = response.getHeader("vary");
  return others === undefined ? "accept-encoding" : `${others}, accept-encoding`;
}

function requireJson(contentType: string | undefined): void {
  // `curl -d` without a header claims to send a form. A body without any type is read as JSON.
  if (contentType === undefined || /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(contentType)) return;
  throw unsupported("The body must be application/json.");
}

function unsupported(message: string) {
  return new CallError(callErrors.INVALID_REQUEST, {
    message,
    http: { status: 415, headers: { accept: "application/json" } },
  });
}

function parseOrUndefined(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
