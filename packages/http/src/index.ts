export { createAddressCheck, limitKeyOf, plainAddress } from "./address.ts";
export { arrivedBody } from "./arrived-body.ts";
export type {
  ClientTls,
  HttpClient,
  HttpFields,
  HttpRequest,
  RequestInProgress,
  ResponseReceiver,
} from "./client/http-client.ts";
export { RequestFault, ResponseFault, ResponseHeadTooLarge } from "./client/http-faults.ts";
export { createHttp1Client, type Http1ClientOptions } from "./client/http1-client.ts";
export type { ClientError, ClientErrorResponse, RenderClientError } from "./client-error.ts";
export { isCutOff } from "./cut-off.ts";
export { endWithBody, isAnswered } from "./end-with-body.ts";
export type { WholeResponseBody } from "./ends-in-turn.ts";
export type { StreamListener } from "./http2.ts";
export { closeGraceMsMax, keepAliveMsMax, requestHeadBytesMax, requestReadMsMax } from "./limits.ts";
export { type HttpListener, listenHttp, type TlsCredentials } from "./listen.ts";
export { type BodyPace, type GiveUp, type Received, receiveBody, receiveBytes } from "./receive-body.ts";
export { createRequestMemory, type HeldRequest, requestBytesMin } from "./request-memory.ts";
export type { AnswersWhole, RequestStart } from "./whole/connections.ts";
export { limitWriteTime, type WriteTimeout } from "./write-timeout.ts";
