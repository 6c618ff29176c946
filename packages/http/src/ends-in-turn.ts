/** A whole body. Text has one character for each byte. */
export type WholeResponseBody = Uint8Array | string | undefined;

/** A response that is sent with the others of its turn of the event loop. */
export interface EndsInTurn {
  /** Whether its end is to be written with the turn. Whoever would answer now comes too late. */
  readonly isEnding: boolean;
  /** Ends the response, with the end of the turn. Its head must be written. */
  endInTurn(body: WholeResponseBody): void;
  /** Calls `listener` once when the end was written, where `isEnding`. */
  onceEnded(listener: () => void): void;
  /** For the batch alone. It is not `flush`: others call that on a response that has it, as middleware adds it. */
  onTurnEnd(): void;
}

/** Returns the response as one that ends with its turn; undefined where it is another one. */
export function asEndingInTurn(response: object): EndsInTurn | undefined {
  return isEndingInTurn(response) ? response : undefined;
}

/** No response but ours has a method of this name. */
function isEndingInTurn(response: object): response is EndsInTurn {
  return "endInTurn" in response;
}
