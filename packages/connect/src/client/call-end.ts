import { Code, ConnectError } from "@connectrpc/connect";

/** Whether a stream ended by a reset of its server that says no more than that. */
export function isReset(error: unknown): error is ConnectError {
  return error instanceof ConnectError && error.code === Code.Canceled && error.rawMessage.startsWith("http/2 stream");
}

/** The error of a call whose deadline passed. */
export function deadlinePassed(cause?: unknown): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded, undefined, undefined, cause);
}
