import type { DescMessage, DescMethodUnary, Message, MessageShape } from "@bufbuild/protobuf";
import { appendHeaders } from "@connectrpc/connect";
import { createMethodSerializationLookup, createMethodUrl } from "@connectrpc/connect/protocol";
import {
  contentTypeUnaryProto,
  errorFromJsonBytes,
  protocolVersion,
  requestHeader,
  trailerDemux,
  validateResponseWithCompression,
} from "@connectrpc/connect/protocol-connect";
import { messageBytesMax } from "../limits.ts";
import { isSafeToRetry } from "../server/idempotency.ts";
import { readWhole } from "../upstream/request-body.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { WholeBody } from "../upstream/whole-body.ts";
import type { HttpResponse } from "../wire/http-message.ts";
import type { HttpHead } from "./http-head.ts";

/** The base of the URLs of requests, whose origin the upstream replaces by a replica's. */
export const upstreamUrl = "http://upstream";

/** How the official transport names itself. */
const userAgent = requestHeader("unary", true, undefined, undefined, true).get("user-agent") ?? "connect-es";

/**
 * Returns what makes unary calls in binary Connect, by the bytes of an upstream
 * (https://connectrpc.com/docs/protocol#unary-request). A call has one object of headers, that of its head, which is
 * completed here. Rejects with the errors of the upstream, or with a `ConnectError`.
 */
export function createUnaryWire(upstream: Upstream) {
  const wires = new WeakMap<DescMethodUnary, MethodWire>();
  return async (method: DescMethodUnary, { headers, signal }: HttpHead, request: Message): Promise<Message> => {
    const wire = wires.get(method) ?? createMethodWire(method);
    wires.set(method, wire);
    const isSafe = isSafeToRetry(method, headers);
    headers.set("content-type", contentTypeUnaryProto);
    headers.set("connect-protocol-version", protocolVersion);
    headers.set("user-agent", userAgent);
    const body = new WholeBody(wire.serialize(request));
    const sent = { url: wire.url, method: "POST", header: headers, body, signal };
    return readMessage(await upstream.fetch(sent, { isSafe, isStream: false }), wire);
  };
}

/** What is the same for all calls of a method. */
interface MethodWire {
  readonly url: string;
  /** Throw a `ConnectError`, also for a message over the limit. */
  serialize(message: MessageShape<DescMessage>): Uint8Array;
  parse(bytes: Uint8Array): MessageShape<DescMessage>;
}

function createMethodWire(method: DescMethodUnary): MethodWire {
  const limits = { readMaxBytes: messageBytesMax, writeMaxBytes: messageBytesMax };
  const lookup = createMethodSerializationLookup(method, undefined, undefined, limits);
  const { serialize } = lookup.getI(true);
  const { parse } = lookup.getO(true);
  return { url: createMethodUrl(upstreamUrl, method), serialize, parse };
}

async function readMessage({ status, header, body }: HttpResponse, wire: MethodWire): Promise<Message> {
  const found = validateResponseWithCompression("unary", [], true, status, header);
  const bytes = await readWhole(body);
  if (found.isUnaryError) throw errorFromJsonBytes(bytes, appendHeaders(...trailerDemux(header)), found.unaryError);
  return wire.parse(bytes);
}
