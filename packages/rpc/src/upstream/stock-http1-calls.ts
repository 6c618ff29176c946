import * as http from "node:http";
import * as https from "node:https";
import type { LookupFunction } from "node:net";
import { createNodeHttpClient } from "@connectrpc/connect-node";
import { abortSignalOf } from "@rialto/async";
import { toFields, toWebHeaders } from "@rialto/connect";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { setTimeoutMs } from "../wire/wire-protocol.ts";
import type { Http1Calls, SentCall } from "./http1-calls.ts";
import { readWhole } from "./request-body.ts";
import { WholeBody } from "./whole-body.ts";
import type { WholeAnswer } from "./whole-call.ts";

/** The same as `createHttp1Calls`, by the official client, for tests that ask for it (`isStockPath`). */
export function createStockHttp1Calls(replicaUrl: string, lookup?: LookupFunction): Http1Calls {
  const { Agent } = replicaUrl.startsWith("https:") ? https : http;
  const agent = new Agent({ keepAlive: true, ...(lookup === undefined ? {} : { lookup }) });
  const fetch = createNodeHttpClient({ httpVersion: "1.1", nodeOptions: { agent } });
  async function send(request: HttpRequest, timeoutMs: number): Promise<HttpResponse> {
    const header = new Headers(request.header);
    setTimeoutMs(header, timeoutMs);
    const { pathname, search } = new URL(request.url);
    const response = await fetch({ ...request, header, url: new URL(`${pathname}${search}`, replicaUrl).href });
    return { ...response, body: new WholeBody(await readWhole(response.body)) };
  }
  async function answerOf({ verb, path, fields, body, timeoutMs, canceled }: SentCall): Promise<WholeAnswer> {
    const sent = {
      ...{ url: new URL(path, replicaUrl).href, method: verb, header: toWebHeaders(fields) },
      ...(body === undefined ? {} : { body: new WholeBody(body) }),
      ...(canceled === undefined ? {} : { signal: abortSignalOf(canceled) }),
    };
    const { status, header, trailer, body: answer } = await send(sent, timeoutMs);
    return { status, fields: toFields(header), trailers: toFields(trailer), body: await readWhole(answer) };
  }
  return {
    send,
    sendWhole(sent, receiver) {
      answerOf(sent).then(receiver.onAnswer, receiver.onFailure);
    },
    close: () => agent.destroy(),
  };
}
