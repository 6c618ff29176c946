import {
  createAsyncIterable,
  type UniversalClientRequest,
  type UniversalClientResponse,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";

/** An HTTP request as bytes, without a server or a client. */
export type HttpRequest = UniversalClientRequest;

/** The response to it. */
export type HttpResponse = UniversalClientResponse;

/** The response of a handler of Connect's library, as a client gets it. */
export function clientResponse(response: UniversalServerResponse): HttpResponse {
  return {
    status: response.status,
    header: new Headers(response.header),
    body: response.body ?? createAsyncIterable<Uint8Array>([]),
    // gRPC fills it while the body is read, so it must stay the same object.
    trailer: response.trailer instanceof Headers ? response.trailer : new Headers(response.trailer),
  };
}
