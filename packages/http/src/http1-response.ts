import { ServerResponse } from "node:http";
import type { EndsInTurn, WholeResponseBody } from "./ends-in-turn.ts";
import type { Http1Request } from "./request.ts";
import type { TurnBatch } from "./turn-batch.ts";

/**
 * A response of HTTP/1.1 that is sent with the others of its turn of the event loop (`TurnBatch`), where its body is
 * known as a whole.
 */
abstract class Http1Response extends ServerResponse<Http1Request> implements EndsInTurn {
  #isEnding = false;
  #body: WholeResponseBody;
  #onEnded: (() => void) | undefined;

  /** That of its server: see `responsesOf`. */
  protected abstract readonly batch: TurnBatch;

  get isEnding(): boolean {
    return this.#isEnding;
  }

  endInTurn(body: WholeResponseBody): void {
    this.#isEnding = true;
    this.#body = body;
    this.batch.add(this);
  }

  onceEnded(listener: () => void): void {
    this.#onEnded = listener;
  }

  onTurnEnd(): void {
    this.#isEnding = false;
    if (!this.destroyed && !this.writableEnded) endNow(this, this.#body);
    this.#body = undefined;
    this.#onEnded?.();
  }
}

/** Returns the class of the responses of one server, which share a batch. */
export function responsesOf(batch: TurnBatch) {
  return class extends Http1Response {
    protected override get batch(): TurnBatch {
      return batch;
    }
  };
}

/** Ends a response with its whole body, now. */
export function endNow(response: ServerResponse, body: WholeResponseBody): void {
  if (body === undefined || body.length === 0) response.end();
  else if (typeof body === "string") response.end(body, "latin1");
  else if (body.byteLength <= joinedBytesMax) response.end(latin1(body), "latin1");
  else response.end(body);
}

/** The largest body that is written as text. */
const joinedBytesMax = 16 * 1024;

function latin1({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}
