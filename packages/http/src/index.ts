export { createAddressCheck, limitKeyOf, plainAddress } from "./address.ts";
export { arrivedBody } from "./arrived-body.ts";
export type { ClientError, ClientErrorResponse, RenderClientError } from "./client-error.ts";
export type { StreamListener } from "./http2.ts";
export { keepAliveMsMax, requestHeadBytesMax, requestReadMsMax } from "./limits.ts";
export { type HttpListener, listenHttp, type TlsCredentials } from "./listen.ts";
export { type BodyPace, type GiveUp, type Received, receiveBody, receiveBytes } from "./receive-body.ts";
export { createRequestMemory, type HeldRequest, requestBytesMin } from "./request-memory.ts";
export { limitWriteTime, type WriteTimeout } from "./write-timeout.ts";
