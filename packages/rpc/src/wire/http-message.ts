import {
  createAsyncIterable,
  type UniversalClientRequest,
  type UniversalClientResponse,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";

/** An HTTP request as bytes, without a server or a client. */
export type ByteRequest = UniversalClientRequest;

/** The response to it. */
export type ByteResponse = UniversalClientResponse;

/** The response of a handler of Connect's library, as a client gets it. */
export function clientResponse(response: UniversalServerResponse): ByteResponse {
  return {
    status: response.status,
    header: new Headers(response.header),
    body: response.body ?? createAsyncIterable<Uint8Array>([]),
    // gRPC fills it while the body is read, so it must stay the same object.
    trailer: response.trailer instanceof Headers ? response.trailer : new Headers(response.trailer),
  };
}
