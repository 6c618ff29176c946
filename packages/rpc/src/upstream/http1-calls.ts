import type { LookupFunction } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { type CancelSignal, onAbort } from "@rialto/async";
import { toFields, toWebHeaders } from "@rialto/connect";
import { createHttp1Client, type HttpFields, type ResponseReceiver } from "@rialto/http";
import { replayBufferBytesMax } from "../limits.ts";
import { nodeHeaders } from "../wire/call-headers.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { timeoutField } from "../wire/wire-protocol.ts";
import { BrokenResponse } from "./response-failure.ts";
import { WholeBody } from "./whole-body.ts";
import type { WholeAnswer, WholeCall } from "./whole-call.ts";

/** Sends requests over HTTP/1.1 to one address, and reads their responses to the end. */
export interface Http1Calls {
  /**
   * Sends a request to this address, with the timeout in the header of its protocol. Its body is a `WholeBody`, or
   * there is none; that of the response is a `WholeBody`. Rejects with `BrokenResponse` for one that is larger than the
   * replay buffer, with the signal's reason, or with the error of the connection.
   */
  send(request: HttpRequest, timeoutMs: number): Promise<HttpResponse>;
  /** Sends a call whose body has arrived, as `send` does. */
  sendWhole(sent: SentCall, receiver: AnswerReceiver): void;
  close(): void;
}

/** One attempt of a call. */
export interface SentCall extends Pick<WholeCall, "verb" | "path" | "fields"> {
  /** Undefined where there is none, as of a GET. */
  readonly body: Uint8Array | undefined;
  readonly timeoutMs: number;
  readonly canceled: CancelSignal | undefined;
}

/** Gets the answer to a call, or why there is none: one of them, once, maybe before `sendWhole` returns. */
export interface AnswerReceiver {
  onAnswer(answer: WholeAnswer): void;
  onFailure(reason: unknown): void;
}

/**
 * Creates the connections to one address, at most so many. None is established before its first request. `lookup` finds
 * the address of the host in the URL; without it the operating system does.
 */
export function createHttp1Calls(
  replicaUrl: string,
  o: { readonly connectionsMax: number; readonly lookup: LookupFunction | undefined },
): Http1Calls {
  const { origin } = new URL(replicaUrl);
  const client = createHttp1Client(o);
  const sendWhole = (sent: SentCall, receiver: AnswerReceiver): void => {
    const { verb, path, fields, body, timeoutMs, canceled } = sent;
    const response = new WholeResponse(receiver);
    const replaced = timeoutField(nodeHeaders(fields), timeoutMs);
    const inProgress = client.send({ origin, path, verb, fields, replaced, body }, response);
    if (canceled === undefined || response.isOver) return;
    response.removeListener = onAbort(canceled, () => {
      response.onError(canceled.reason);
      inProgress.cancel(new Error("the caller canceled the request"));
    });
  };
  return {
    sendWhole,
    async send({ url, method, header, body, signal }, timeoutMs) {
      if (body !== undefined && !(body instanceof WholeBody)) throw new Error("the body of a call is not whole");
      const { pathname, search } = new URL(url);
      const target = { verb: method, path: `${pathname}${search}`, fields: toFields(header) };
      const answer = await new Promise<WholeAnswer>((resolve, reject) => {
        const receiver = { onAnswer: resolve, onFailure: reject };
        sendWhole({ ...target, body: body?.bytes, timeoutMs, canceled: signal }, receiver);
      });
      return {
        status: answer.status,
        header: toWebHeaders(answer.fields),
        trailer: toWebHeaders(answer.trailers),
        body: new WholeBody(answer.body),
      };
    },
    close: () => void client.close(),
  };
}

class WholeResponse implements ResponseReceiver {
  readonly #receiver: AnswerReceiver;
  #status = 0;
  #fields: HttpFields = {};
  #parts: Uint8Array[] = [];
  #bytes = 0;
  removeListener: (() => void) | undefined;
  /** Its receiver has got what there is. */
  isOver = false;

  constructor(receiver: AnswerReceiver) {
    this.#receiver = receiver;
  }

  onHead(status: number, fields: HttpFields): void {
    this.#status = status;
    this.#fields = fields;
  }

  onData(part: Uint8Array): void {
    this.#bytes += part.byteLength;
    if (this.#bytes > replayBufferBytesMax)
      throw new BrokenResponse(new ConnectError("the response is too large", Code.ResourceExhausted));
    this.#parts.push(part);
  }

  onEnd(trailers: HttpFields): void {
    if (!this.#end()) return;
    const parts = this.#parts;
    const body = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, this.#bytes);
    this.#receiver.onAnswer({ status: this.#status, fields: this.#fields, body, trailers });
  }

  onError(reason: unknown): void {
    if (this.#end()) this.#receiver.onFailure(reason);
  }

  /** Returns false where it has ended before. */
  #end(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.removeListener?.();
    return true;
  }
}
