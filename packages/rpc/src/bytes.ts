import { Code, ConnectError } from "@connectrpc/connect";
import {
  createAsyncIterable,
  readAllBytes,
  type UniversalClientRequest,
  type UniversalClientResponse,
} from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { callErrors } from "./call-errors.ts";
import { type Refusal, refuse } from "./errors.ts";
import { messageBytesMax } from "./limits.ts";
import { connectErrorOf } from "./wire-error.ts";

/** An HTTP request as bytes, without a server or a client: what endpoints and the gateway hand around. */
export type ByteRequest = UniversalClientRequest;

/** Its answer. */
export type ByteResponse = UniversalClientResponse;

/** Connect's word for how long the caller waits, in milliseconds. */
export const timeoutHeader = "connect-timeout-ms";

/** A refusal as Connect says it over HTTP: its status and its JSON. */
export function byteErrorResponse(refusal: Refusal, headers?: Headers): ByteResponse {
  const error = connectErrorOf(refusal);
  const body = errorToJsonBytes(error, undefined);
  const header = new Headers(headers);
  header.set("content-type", "application/json");
  header.set("content-length", `${body.byteLength}`);
  return { status: codeToHttpStatus(error.code), header, body: createAsyncIterable([body]), trailer: new Headers() };
}

/**
 * Gives an answer that Connect itself made (a body that is no message, or too large a one) the reason that every error
 * of the contract has.
 */
export async function withReason(
  response: ByteResponse,
): Promise<{ readonly response: ByteResponse; readonly refusal: Refusal | undefined }> {
  if (
    response.status !== codeToHttpStatus(Code.InvalidArgument) &&
    response.status !== codeToHttpStatus(Code.ResourceExhausted)
  ) {
    return { response, refusal: undefined };
  }
  const { rawMessage } = await errorIn(response);
  const refusal = refuse(callErrors.INVALID_REQUEST, { fields: [{ field: "", description: rawMessage }] });
  return { response: byteErrorResponse(refusal, keptHeaders(response.header)), refusal };
}

/** What is said instead of Connect's own words where a handler's answer could not be written; those are the cause. */
export async function unwritable(
  response: ByteResponse,
): Promise<{ readonly refusal: Refusal; readonly headers: Headers }> {
  const cause = new Error("the answer cannot be written", { cause: await errorIn(response) });
  return { refusal: refuse(callErrors.INTERNAL_ERROR, { cause }), headers: keptHeaders(response.header) };
}

async function errorIn(response: ByteResponse): Promise<ConnectError> {
  const bytes = await readAllBytes(response.body, messageBytesMax);
  return errorFromJsonBytes(bytes, undefined, new ConnectError("the message cannot be read"));
}

function keptHeaders(header: Headers): Headers {
  const kept = new Headers(header);
  kept.delete("content-encoding");
  return kept;
}
