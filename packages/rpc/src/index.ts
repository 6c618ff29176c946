export { isShared, madeOnce, shareAnswer } from "./answers/shared-answer.ts";
export { timestampOf } from "./answers/timestamp.ts";
export { type IntegerRange, integerIn, integerRangeOf, integerRule } from "./bounds/json-integer.ts";
export { type RequestSize, requestSizeOf } from "./bounds/request-size.ts";
export { type MessageSize, messageSize, requireAnswerFits } from "./bounds/response-size.ts";
export { scanJson } from "./bounds/scan-json.ts";
export {
  type CallOptions,
  type Client,
  type ClientTarget,
  createClient,
  createUnaryCall,
  type UnaryCall,
} from "./client/client.ts";
export { beginClientSpan } from "./client/client-span.ts";
export { CallError, type CallErrorDetails, isUnavailable, reasonOf } from "./errors/call-error.ts";
export { callErrors } from "./errors/call-errors.ts";
export { type ErrorCode, errorCodeOf, isErrorCode, isFailureCode } from "./errors/codes.ts";
export { withoutValues } from "./errors/decode-error.ts";
export {
  defineErrors,
  type ErrorDefinition,
  type ErrorTable,
  errorDefinitions,
  type FieldViolation,
} from "./errors/error-table.ts";
export { createHealthPages, isFromHere, isHealthPage, type ServiceStatus } from "./health/pages.ts";
export { type AccessPolicy, accessOf, decideAccess } from "./identity/access.ts";
export { type Caller, callerName, requireOwner, type UserId } from "./identity/caller.ts";
export {
  clientAddressHeader,
  identifyPerson,
  seenPerson,
  serviceTokenHeader,
  userTokenHeader,
} from "./identity/identity.ts";
export { type EndedSession, type RevocationState, type Revocations, watchRevocations } from "./identity/revocations.ts";
export {
  createPersonTokens,
  createServiceTokens,
  type PersonTokens,
  type ServiceTokens,
} from "./identity/signed-tokens.ts";
export { createTokenVerifier, type TokenVerifier } from "./identity/token-verifier.ts";
export {
  accessTokenSecondsMax,
  answerBytesMax,
  bodyPaceMin,
  lastAnswerMs,
  messageBytesMax,
  responseWriteTimeout,
  upstreamStreamsMax,
} from "./limits.ts";
export { auditChanges, auditOf } from "./server/audit.ts";
export { renderClientErrors } from "./server/client-error.ts";
export {
  backgroundContext,
  type CallContext,
  cancelSignalOf,
  type OutgoingCall,
  type PropagatedContext,
} from "./server/context.ts";
export { createEndpoint, type Endpoint } from "./server/endpoint.ts";
export { idempotencyKeyHeader, isSafeToRetry } from "./server/idempotency.ts";
export { listen, type RpcListener } from "./server/listen.ts";
export { nextPageToken, page, pageOf, readPage } from "./server/paging.ts";
export { traceparentHeader } from "./server/pipeline.ts";
export { type Handlers, type Route, serve } from "./server/route.ts";
export { isReady, type Readiness } from "./standard/health.ts";
export {
  createStandardServices,
  isHealthPath,
  isStandardPath,
  isStandardStream,
} from "./standard/standard-services.ts";
export { parseServiceUrl } from "./upstream/service-target.ts";
export { createUpstream, type Upstream } from "./upstream/upstream.ts";
export type { WholeAnswer, WholeCall } from "./upstream/whole-call.ts";
export { type CallHeaders, nodeHeaders } from "./wire/call-headers.ts";
export { encodeError, errorResponse } from "./wire/error-response.ts";
export { isTrailerFrame } from "./wire/grpc-error.ts";
export { httpMethodsOf } from "./wire/http-errors.ts";
export type { HttpRequest, HttpResponse } from "./wire/http-message.ts";
export { endWithHead, readNodeRequest, writeNodeResponse } from "./wire/node-http.ts";
export { requestIdFrom, requestIdHeader } from "./wire/request-id.ts";
export {
  connectTimeoutHeader,
  connectTimeoutMs,
  protocolOf,
  type WireProtocol,
} from "./wire/wire-protocol.ts";
