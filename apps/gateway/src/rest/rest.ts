import { CallError, callErrors } from "@rialto/rpc";
import type { InFlightRequest } from "../admission/in-flight-request.ts";
import { upstreamNameOf } from "../contract.ts";
import { bodyBytesMaxOf, textOfBody } from "../exchange/body.ts";
import type { AdmittedExchange } from "../exchange/exchange.ts";
import type { CallService } from "../upstream/unary-call.ts";
import { answerBodyOf } from "./answer-body.ts";
import { encodingOf } from "./compression.ts";
import { parseQuery } from "./query-parameters.ts";
import type { RestRoute } from "./routes.ts";
import { requestOf } from "./transcode.ts";

/** Answers a REST request with one unary call: its path, query and body become a message, and a message the answer. */
export async function answerRest(
  exchange: AdmittedExchange,
  route: RestRoute,
  values: readonly string[],
  callService: CallService,
  inFlight: InFlightRequest,
): Promise<void> {
  const { request } = exchange;
  if (!/^(identity)?$/i.test(request.headers["content-encoding"] ?? ""))
    throw unsupported("The body must not be compressed.");
  // A body that came with its head is here when promises have settled, if it is not yet.
  if (!request.complete) await undefined;
  const to = { service: upstreamNameOf(route.method), isStream: false };
  const received = inFlight.receive(bodyBytesMaxOf(route.size), to);
  const text = textOfBody(received instanceof Promise ? await received : received);
  if (text.trim() !== "") requireJson(request.headers["content-type"]);
  const message = requestOf(route, values, parseQuery(exchange.query), text);

  const answer = await callService(exchange, route.method, message).catch(throwWithRetryAfter);

  const body = answerBodyOf(route, answer);
  // Compressing a secret together with text that an attacker chooses reveals it by its size:
  // https://www.breachattack.com.
  const accepted = route.answersSecrets ? undefined : request.headers["accept-encoding"];
  const encoding = encodingOf(body.json.length, accepted);
  const sent = encoding === undefined ? body.json : await body.compressed(encoding);
  if (!route.answersSecrets) exchange.setHeader("vary", varyOf(exchange));
  if (encoding !== undefined) exchange.setHeader("content-encoding", encoding);
  const head = { "content-type": "application/json", "content-length": sent.length };
  exchange.send(200, head, request.method === "HEAD" ? undefined : sent);
}

/** Throws the error of a service, with the header that tells a client when to try again. */
function throwWithRetryAfter(error: unknown): never {
  if (!(error instanceof CallError)) throw error;
  const seconds = error.metadata.retry_after_seconds;
  if (seconds === undefined) throw error;
  const { fields, metadata, cause } = error;
  throw new CallError(error, { fields, metadata, cause, remote: true, http: { headers: { "retry-after": seconds } } });
}

function varyOf(exchange: AdmittedExchange): string {
  const others = exchange.getHeader("vary");
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
