import type { Connection } from "./connection.ts";
import type { HttpFields, RequestInProgress, ResponseReceiver } from "./http-client.ts";

/** A request from when it is sent to the end of its response. It ends once, whatever comes after that. */
export class PendingRequest implements RequestInProgress {
  readonly verb: string;
  /** As it is written, one character for each byte. */
  readonly head: string;
  readonly body: Uint8Array | undefined;
  readonly receiver: ResponseReceiver;
  /** That carries it; undefined while it waits for one. */
  connection: Connection | undefined;
  #isOver = false;
  readonly #onCanceledWaiting: (request: PendingRequest) => void;

  constructor(
    { verb, body }: { readonly verb: string; readonly body: Uint8Array | undefined },
    head: string,
    receiver: ResponseReceiver,
    onCanceledWaiting: (request: PendingRequest) => void,
  ) {
    this.verb = verb;
    this.head = head;
    this.body = body;
    this.receiver = receiver;
    this.#onCanceledWaiting = onCanceledWaiting;
  }

  /** Ends the connection that carries it: what still comes on it is nobody's. */
  cancel(reason: Error): void {
    if (this.#isOver) return;
    if (this.connection === undefined) {
      this.#onCanceledWaiting(this);
      this.fail(reason);
    } else this.connection.close(reason);
  }

  succeed(trailers: HttpFields): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.receiver.onEnd(trailers);
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.receiver.onError(error);
  }
}
