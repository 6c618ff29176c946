import { Code, ConnectError } from "@connectrpc/connect";
import { onAbort } from "@rialto/async";
import { createHttp1Client, type HttpFields, type ResponseReceiver, toFields, toWebHeaders } from "@rialto/connect";
import { replayBufferBytesMax } from "../limits.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { timeoutField } from "../wire/wire-protocol.ts";
import { BrokenResponse } from "./response-failure.ts";
import { WholeBody } from "./whole-body.ts";

/** Sends requests over HTTP/1.1 to one address, and reads their responses to the end. */
export interface Http1Calls {
  /**
   * Sends a request to this address, with the timeout in the header of its protocol. Its body is a `WholeBody`, or
   * there is none; that of the response is a `WholeBody`. Rejects with `BrokenResponse` for one that is larger than the
   * replay buffer, with the signal's reason, or with the error of the connection.
   */
  send(request: HttpRequest, timeoutMs: number): Promise<HttpResponse>;
  close(): void;
}

/** Creates the connections to one address. None is established before its first request. */
export function createHttp1Calls(replicaUrl: string): Http1Calls {
  const { origin } = new URL(replicaUrl);
  const client = createHttp1Client({});
  return {
    send: ({ url, method, header, body, signal }, timeoutMs) =>
      new Promise((resolve, reject) => {
        if (body !== undefined && !(body instanceof WholeBody)) throw new Error("the body of a call is not whole");
        const { pathname, search } = new URL(url);
        const fields = toFields(header);
        const [timeoutName, timeout] = timeoutField(header, timeoutMs);
        fields[timeoutName] = timeout;
        const receiver = new WholeResponse(resolve, reject);
        const request = { origin, path: `${pathname}${search}`, verb: method, fields, body: body?.bytes };
        const inProgress = client.send(request, receiver);
        if (signal === undefined) return;
        receiver.removeListener = onAbort(signal, () => {
          reject(signal.reason);
          inProgress.cancel(new Error("the caller canceled the request"));
        });
      }),
    close: () => void client.close(),
  };
}

class WholeResponse implements ResponseReceiver {
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (reason: unknown) => void;
  #status = 0;
  #fields: HttpFields = {};
  #parts: Uint8Array[] = [];
  #bytes = 0;
  removeListener: () => void = () => undefined;

  constructor(resolve: (response: HttpResponse) => void, reject: (reason: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
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
    this.removeListener();
    const [first = new Uint8Array(), ...rest] = this.#parts;
    const bytes = rest.length === 0 ? first : Buffer.concat(this.#parts, this.#bytes);
    this.#resolve({
      status: this.#status,
      header: toWebHeaders(this.#fields),
      trailer: toWebHeaders(trailers),
      body: new WholeBody(bytes),
    });
  }

  onError(reason: unknown): void {
    this.removeListener();
    this.#reject(reason);
  }
}
