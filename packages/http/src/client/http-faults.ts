/** A request that cannot be written as HTTP/1.1. Nothing of it was sent. */
export class RequestFault extends Error {
  override readonly name = "RequestFault";
  readonly code = "ERR_REQUEST_MALFORMED";
}

/** A response that cannot be accepted. Its connection is closed. */
export class ResponseFault extends Error {
  override readonly name = "ResponseFault";
  readonly code = "ERR_RESPONSE_MALFORMED";
}

/** A response whose head or trailers are too large. Its connection is closed. */
export class ResponseHeadTooLarge extends Error {
  override readonly name = "ResponseHeadTooLarge";
  readonly code = "ERR_RESPONSE_HEAD_TOO_LARGE";
}
