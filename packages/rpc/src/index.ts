export { type AccessPolicy, accessOf, decideAccess } from "./access.ts";
export { createAddressCheck, plainAddress } from "./address-check.ts";
export { type MessageSize, messageSize, requireAnswerFits } from "./answer-size.ts";
export { auditChanges, auditOf } from "./audit.ts";
export { type ByteUpstream, createByteUpstream } from "./byte-upstream.ts";
export { type ByteRequest, type ByteResponse, byteErrorResponse } from "./bytes.ts";
export { CallError, isUnavailable, reasonOf } from "./call-error.ts";
export { callErrors } from "./call-errors.ts";
export { type Caller, callerName, requireOwner, type UserId } from "./caller.ts";
export { type CallOptions, type Client, type ClientTarget, createClient } from "./client.ts";
export { type CallContext, type Origin, workOrigin } from "./context.ts";
export { withoutValues } from "./decode-error.ts";
export { createEndpoint, type Endpoint } from "./endpoint.ts";
export {
  defineErrors,
  type ErrorCode,
  type ErrorDefinition,
  type ErrorTable,
  errorDefinitions,
  type FieldViolation,
  Refusal,
  refuse,
} from "./errors.ts";
export { createSharedPlaces, type Holder, type SharedPlaces } from "./fair-share.ts";
export { createHealthPages, isFromHere, type ServiceStanding } from "./health-pages.ts";
export { httpMethodsOf } from "./http-refusal.ts";
export { idempotencyKeyHeader, isSafeToRepeat } from "./idempotency.ts";
export { clientAddressHeader, identifyPerson, serviceTokenHeader, userTokenHeader } from "./identity.ts";
export { type IntegerRange, integerIn, integerRangeOf, integerRule } from "./json-integer.ts";
export { limitKeyOf } from "./limit-key.ts";
export { accessTokenSecondsMax, answerBytesMax, answerTakingMax, bodyPaceMin, upstreamStreamsMax } from "./limits.ts";
export { type Listening, listen } from "./listen.ts";
export { endWithHead, readNodeRequest, writeNodeResponse } from "./node-http.ts";
export { nextPageToken, pageFrom, pageOf } from "./paging.ts";
export { createPersonTokens, type PersonTokens } from "./person-tokens.ts";
export { requestIdHeader, requestIdOf, traceparentHeader } from "./pipeline.ts";
export { openPort, type PortTls } from "./port.ts";
export { isReady, type Readiness } from "./readiness.ts";
export { type BodyPace, type Received, receiveBody } from "./receive-body.ts";
export { withinRefusalSize } from "./refusal-size.ts";
export { createRequestMemory, type HeldRequest, requestBytesMin } from "./request-memory.ts";
export { type RequestSize, requestSizeOf } from "./request-size.ts";
export { type EndedSession, type RevocationState, type Revocations, watchRevocations } from "./revocations.ts";
export { createRoom, NoRoom, type Room } from "./room.ts";
export { type Handlers, type Route, serve } from "./route.ts";
export { scanJson } from "./scan-json.ts";
export { createServiceTokens, type ServiceTokens } from "./service-tokens.ts";
export { createStandardServices, isHealthPath, isStandardPath, isStandardStream } from "./standard-services.ts";
export { requireTaken, type TakingTime } from "./taking.ts";
export { createTokenVerifier, type TokenVerifier } from "./token-verifier.ts";
export { protocolOf, saysItsEnd, type WireProtocol } from "./wire-protocol.ts";
