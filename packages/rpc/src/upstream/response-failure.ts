/**
 * The response to one request is broken or unacceptable, and its connection is not: too large a head or trailer, a
 * stream that was reset, a response without its end. It is a failure of this request. It tells nothing about the
 * replica, and a retry would fail again.
 */
export class BrokenResponse extends Error {
  override readonly name = "BrokenResponse";

  constructor(cause: unknown) {
    super("the response to this request is broken", { cause });
  }
}

/** The server did no work for this request (RFC 9113, section 8.7). It may be retried, and counts as no failure. */
export class StreamRefused extends Error {
  override readonly name = "StreamRefused";

  constructor(cause: unknown) {
    super("the server refused the request before processing it", { cause });
  }
}

/**
 * The connection was lost with all requests in progress on it. That is one failure of the replica, counted for the
 * first of them.
 */
export class SessionLost extends Error {
  override readonly name = "SessionLost";
  readonly isFirst: boolean;

  constructor(isFirst: boolean, cause: unknown) {
    super("the connection was lost", { cause });
    this.isFirst = isFirst;
  }
}

/** The caller aborted the body of a request while it was sent. */
export class RequestBodyAborted extends Error {
  override readonly name = "RequestBodyAborted";

  constructor(cause: unknown) {
    super("the body of the request was aborted", { cause });
  }
}

/**
 * The codes of Node and of our client for a request or a response that they do not accept, while the connection works
 * or is that request's own.
 */
const requestFailureCodes: ReadonlySet<unknown> = new Set([
  "HPE_HEADER_OVERFLOW",
  "ERR_RESPONSE_HEAD_TOO_LARGE",
  "HPE_CHUNK_EXTENSIONS_OVERFLOW",
  "ERR_HTTP2_HEADER_SINGLE_VALUE",
  "ERR_HTTP2_INVALID_CONNECTION_HEADERS",
  "ERR_HTTP2_INVALID_HEADER_VALUE",
  "ERR_INVALID_CHAR",
  "ERR_INVALID_HTTP_TOKEN",
  "ERR_UNESCAPED_CHARACTERS",
  "ERR_REQUEST_MALFORMED",
]);

/** Whether a failure is this request's own, and not its replica's. */
export function isRequestFailure(error: unknown): boolean {
  return causesOf(error).some(
    (reason) =>
      reason instanceof BrokenResponse ||
      reason instanceof RequestBodyAborted ||
      ("code" in reason && requestFailureCodes.has(reason.code)),
  );
}

/** Returns the aborted body among an error's causes, where there is one. */
export function abortedBodyIn(error: unknown): RequestBodyAborted | undefined {
  return causesOf(error).find((reason) => reason instanceof RequestBodyAborted);
}

/** Returns an error and its causes, the error first. */
export function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  for (let reason = error; reason instanceof Error && causes.length < causesMax; reason = reason.cause)
    causes.push(reason);
  return causes;
}

/** How far a chain of causes is followed. */
const causesMax = 8;
