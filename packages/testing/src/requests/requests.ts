export { hostileRequests } from "./hostile-requests.ts";
export { escapedJson, largestRequest } from "./largest-request.ts";
export { type RefusalRead, readRefusal, type WireAnswer } from "./refusal-read.ts";
export { restRequests, rpcRequests, type Way, type WireRequest, wireRequests } from "./wire-requests.ts";
