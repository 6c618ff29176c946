/**
 * The answer to one request broke, or is none that can be taken, while its connection lives on: too large a head or trailer, a stream that was reset, an
 * answer without its end. It is this request's own. It tells nothing about the replica, and sending it again would break it again.
 */
export class BrokenAnswer extends Error {
  override readonly name = "BrokenAnswer";

  constructor(cause: unknown) {
    super("the answer to this request broke", { cause });
  }
}

/** The server says that it did nothing for this request: it may be sent again, and is no failure of anybody. */
export class StreamRefused extends Error {
  override readonly name = "StreamRefused";

  constructor(cause: unknown) {
    super("the request was refused before it was looked at", { cause });
  }
}

/** The connection was lost with all that were at work on it. It is one failure of the replica, however many they were: that of the first. */
export class LostWithSession extends Error {
  override readonly name = "LostWithSession";
  readonly isFirst: boolean;

  constructor(isFirst: boolean, cause: unknown) {
    super("the connection was lost", { cause });
    this.isFirst = isFirst;
  }
}

/** The body of a request that goes on as it comes broke off: its caller's doing. */
export class BodyBrokenOff extends Error {
  override readonly name = "BodyBrokenOff";

  constructor(cause: unknown) {
    super("the body of the request broke off", { cause });
  }
}

/** What Node says of a request or an answer that it does not take, whose connection is well or that request's own. */
const ownCodes: ReadonlySet<unknown> = new Set([
  "HPE_HEADER_OVERFLOW",
  "HPE_CHUNK_EXTENSIONS_OVERFLOW",
  "ERR_HTTP2_HEADER_SINGLE_VALUE",
  "ERR_HTTP2_INVALID_CONNECTION_HEADERS",
  "ERR_HTTP2_INVALID_HEADER_VALUE",
  "ERR_INVALID_CHAR",
  "ERR_INVALID_HTTP_TOKEN",
  "ERR_UNESCAPED_CHARACTERS",
]);

/** True for a failure that is this request's own, and not its replica's. */
export function isOwnFailure(error: unknown): boolean {
  return causesOf(error).some(
    (reason) =>
      reason instanceof BrokenAnswer ||
      reason instanceof BodyBrokenOff ||
      ("code" in reason && ownCodes.has(reason.code)),
  );
}

/** The body that broke a request off, where one did. */
export function brokenBodyIn(error: unknown): BodyBrokenOff | undefined {
  return causesOf(error).find((reason) => reason instanceof BodyBrokenOff);
}

/** An error and what caused it, in turn. */
export function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  for (let reason = error; reason instanceof Error && causes.length < causesMax; reason = reason.cause)
    causes.push(reason);
  return causes;
}

/** How far a chain of causes is followed. */
const causesMax = 8;
