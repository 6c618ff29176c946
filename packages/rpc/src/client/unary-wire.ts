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
import type { CancelSignal } from "@rialto/async";
import { toWebHeaders } from "@rialto/connect";
import { messageBytesMax } from "../limits.ts";
import { isSafeToRetry } from "../server/idempotency.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { WholeAnswer, WholeCall } from "../upstream/whole-call.ts";
import { nodeHeaders } from "../wire/call-headers.ts";
import { connectTimeoutHeader } from "../wire/wire-protocol.ts";

/** How the official transport names itself. */
const userAgent = requestHeader("unary", true, undefined, undefined, true).get("user-agent") ?? "connect-es";

/** What a unary call has beside its head. */
export interface UnaryRequest {
  readonly timeoutMs: number;
  /** Aborts when its caller leaves. */
  readonly canceled: CancelSignal;
  readonly request: Message;
}

/**
 * Returns a function that sends a unary call in binary Connect (https://connectrpc.com/docs/protocol#unary-request) to
 * an upstream, with the fields of `head`. It rejects with the errors of the upstream, or with a `ConnectError`.
 */
export function createUnaryWire(upstream: Upstream) {
  const wires = new WeakMap<DescMethodUnary, MethodWire>();
  return async (
    method: DescMethodUnary,
    head: Readonly<Record<string, string>>,
    { timeoutMs, canceled, request }: UnaryRequest,
  ): Promise<Message> => {
    const wire = wires.get(method) ?? createMethodWire(method);
    wires.set(method, wire);
    const fields = {
      ...head,
      "content-type": contentTypeUnaryProto,
      "connect-protocol-version": protocolVersion,
      "user-agent": userAgent,
      [connectTimeoutHeader]: `${timeoutMs}`,
    };
    const body = wire.serialize(request);
    const call: WholeCall = { verb: "POST", path: wire.path, fields, receive: () => body };
    return readMessage(await upstream.call(call, { isSafe: isSafeToRetry(method, nodeHeaders(head)), canceled }), wire);
  };
}

/** What is the same for all calls of a method. */
interface MethodWire {
  readonly path: string;
  /** Throw a `ConnectError`, also for a message over the limit. */
  serialize(message: MessageShape<DescMessage>): Uint8Array;
  parse(bytes: Uint8Array): MessageShape<DescMessage>;
}

function createMethodWire(method: DescMethodUnary): MethodWire {
  const limits = { readMaxBytes: messageBytesMax, writeMaxBytes: messageBytesMax };
  const lookup = createMethodSerializationLookup(method, undefined, undefined, limits);
  const { serialize } = lookup.getI(true);
  const { parse } = lookup.getO(true);
  return { path: createMethodUrl("/", method), serialize, parse };
}

/** What is not plainly a message is left to the library, which knows the errors of the protocol. */
function readMessage({ status, fields, body }: WholeAnswer, wire: MethodWire): Message {
  const isPlain = fields["content-type"] === contentTypeUnaryProto && fields["content-encoding"] === undefined;
  if (status === 200 && isPlain) return wire.parse(body);
  const header = toWebHeaders(fields);
  const found = validateResponseWithCompression("unary", [], true, status, header);
  if (found.isUnaryError) throw errorFromJsonBytes(body, appendHeaders(...trailerDemux(header)), found.unaryError);
  return wire.parse(body);
}
