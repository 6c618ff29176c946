import { requestHeadBytesMax, requestReadMsMax } from "@rialto/http";

/** Time-out of a unary call that names none. */
export const unaryTimeoutMsDefault = 5_000;

/** The longest that a unary call may ask for; longer ones are cut to it. */
export const unaryTimeoutMsMax = 60_000;

/** Time-out of a stream that names none, and the longest that it may ask for. */
export const streamTimeoutMsMax = 10 * 60_000;

/** The largest message that is read or written, on either side. */
export const messageBytesMax = 4 * 1024 * 1024;

/**
 * The messages in one answer, page or not: as large as may be written, less what stands around them. By the measure of `messageSize`, which is the larger
 * one of JSON and binary.
 */
export const answerBytesMax = messageBytesMax - 64 * 1024;

/**
 * How large a request may be where its method's `request_size` says nothing: bytes of the body as it travels and of the message once it is decompressed;
 * fields, list items and map entries; how deep they are nested. The largest valid message of the contract has 61 kB, where each character of a
 * product's description is escaped in JSON, and 307 fields.
 */
export const requestSizeDefault = { bytes: 128 * 1024, fields: 1_000, depth: 32 } as const;

/** The most that a method's `request_size` may ask for. Deeper than 100 no decoder goes. */
export const requestSizeMax = { bytes: messageBytesMax, fields: 100_000, depth: 100 } as const;

/** A number in JSON with more digits than this is refused unread. The longest honest one, a double in full, has some 60. */
export const jsonNumberCharsMax = 128;

/** Paths in one field mask. Each field that can change, named once, is all that an honest one has. */
export const fieldMaskPathsMax = 64;

/** Violations that one refusal names; how many more there were stands in its metadata. */
export const violationsMax = 20;

/**
 * All details of one refusal, in binary. In Connect's JSON they stand twice, once in base64 and once to be read: with its headers such an answer stays
 * under 8 KiB.
 */
export const errorDetailBytesMax = 2_688;

/** The message of a refusal; where a name that the client made up stands in it, it is cut. */
export const errorMessageBytesMax = 512;

/** One text in a refusal's details: a path, a description, a value of the metadata. */
export const errorTextBytesMax = 256;

/** Answers smaller than this are not worth compressing between neighbours. */
export const compressionBytesMin = 16 * 1024;

/** The longest idempotency key. */
export const idempotencyKeyCharsMax = 255;

/** How often a call that is safe to repeat is tried, the first try included. */
export const callTriesMax = 3;

/** Upper bound of the first pause between two tries; it doubles with each try, and the pause is drawn from 0 to it. */
export const retryDelayMsBase = 25;

/** Upper bound of every pause between two tries. */
export const retryDelayMsMax = 400;

/** How many repeats are in hand for a burst of failures, for one service. */
export const retryBudgetMax = 100;

/** What each request adds to them: a fifth of all may be repeated. */
export const retryShare = 0.2;

/** Failures in a row after which a replica's breaker opens. */
export const breakerFailuresMax = 5;

/** How long a breaker that opens stays open before the first trial; it doubles with each that fails. */
export const breakerPauseMsBase = 500;

/** The longest that a breaker stays open without a trial: how soon a replica that is back is used again. */
export const breakerPauseMsMax = 5_000;

/** A call that got no answer for less than this says nothing about its replica: its caller was in a hurry. */
export const silenceMsMin = 1_000;

/** How much sooner than its caller a replica is told to give up: as long as its own "too late" may be under way. */
export const answerMarginMs = 250;

/** What is kept of a request, so that it can be sent again, and of an answer, so that half of one is not seen. */
export const replayBufferBytesMax = messageBytesMax + 64 * 1024;

/** Calls that one process has at work at one replica, each on a connection of its own over HTTP/1.1. */
export const upstreamCallsMax = 256;

/** Calls that wait for one of those to end. */
export const upstreamCallsWaitingMax = 1_000;

/** HTTP/2 connections on each way to a replica. What ends one of them ends the calls of a quarter of the callers at the most. */
export const upstreamSessionsMax = 4;

/** Idle connections that are kept for the next call. */
export const upstreamIdleSocketsMax = 64;

/** Streams that one process has open at one replica; and calls at work on one HTTP/2 connection to a service, as the gateway sends everybody's over one. */
export const upstreamStreamsMax = 1_000;

/**
 * How long a client may take to receive a response: this long however small it is, and what it needs at the minimum drain rate of 32 kbit/s, half of what
 * the slowest lines have that people still shop over.
 */
export const responseWriteTimeout = { ms: 10_000, bytesPerSecond: 4 * 1024 } as const;

/**
 * How fast a body has to arrive: within this time however small it is, and at this pace where it is large. The clock ends a little before the port's own,
 * so that it can still be said.
 */
export const bodyPaceMin = { ms: 10_000, bytesPerSecond: 4 * 1024, msMax: requestReadMsMax - 2_000 } as const;

/**
 * What requests may hold at a service while their bodies arrive. Gateways send whole bodies: whoever holds much there is none, and is the first to lose.
 */
export const serviceRequestBytesMax = 128 * 1024 * 1024;

/** What a gateway adds to the head of a request: who passes it on, for whom, in which trace. */
const addedHeadBytesMax = 4 * 1024;

/** All headers of one request to a service: what a client may say to a gateway, and what that adds. */
export const serviceHeadBytesMax = requestHeadBytesMax + addedHeadBytesMax;

/** How a gRPC call ended, in its trailers. Below 8 KiB, which is what many clients and proxies read of all headers together. */
export const grpcStatusBytesMax = 6 * 1024;

/**
 * Streams of one HTTP/2 connection between our processes that its client may reset at once, and each second over time. The connection carries the calls of
 * many callers: a few that cancel again and again must not end it for the others.
 */
export const peerStreamResets = { burst: 20_000, perSecond: 5_000 } as const;

/** Signing keys are asked for again after this time, and at once where a token names an unknown one: how long a key that was taken out is still accepted. */
export const keySetAgeMsMax = 30_000;

/** How long a call waits for signing keys to be asked for again where older ones are here. */
export const keySetWaitMsMax = 1_000;

/** A token that names an unknown key makes us ask for the keys at most this often. */
export const keySetRefetchMsMin = 2_000;

/** Verified tokens that are remembered, so that a signature is checked once. */
export const verifiedTokensMax = 10_000;

/** How often the list of ended sessions is asked for. Each wait is drawn from half of it to the whole. */
export const revocationPollMs = 4_000;

/** How long one asking may take. */
export const revocationAskMsMax = 3_000;

/**
 * How far an asking looks back behind the newest end that is known: an end is stamped before it is committed, and by another machine's
 * clock.
 */
export const revocationOverlapMs = 60_000;

/** How long an ended session is remembered: as long as an access token lives, and then some for the clocks. */
export const revocationKeptMs = 20 * 60_000;

/** Ended sessions that are remembered; the oldest give way. */
export const revocationsMax = 500_000;

/** A list older than this is stale: health says so, and an ended session's tokens may live out their minutes. */
export const revocationsStaleMs = 20_000;

/** Tolerated difference between two machines' clocks. */
export const clockSkewSecondsMax = 5;

/** How far ahead of ours the clock of a machine may be that makes a token. More than above: nobody gains by it, as a token's whole life is bounded. */
export const issuerSkewSecondsMax = 300;

/** How long an access token lives. One that says that it lives longer is refused, whoever signed it. */
export const accessTokenSecondsMax = 900;

/** How long a service's own token lives. */
export const serviceTokenSecondsMax = 60;

/**
 * A cached token of a service, or of the gateway for a person, is replaced when it has less than this to live: a call must not outrun its token, and the
 * body of one may be on its way for `bodyPaceMin.msMax` after its token was made.
 */
export const serviceTokenSecondsMin = 30;

/** Tokens of its own that a process keeps for the next call. */
export const signedTokensMax = 10_000;

/** Rows on a page where the request does not say. */
export const pageRowsDefault = 50;

/** Rows on a page at the most. It ends sooner where its rows are more than `answerBytesMax`. */
export const pageRowsMax = 200;

/** How often the health of a service that is watched is looked at. */
export const healthWatchMs = 1_000;

/** The largest question to gRPC's own services. */
export const standardMessageBytesMax = 64 * 1024;

/** Questions that one stream of reflection may ask. A tool that reads all of the contract asks some thirty. */
export const reflectionQuestionsMax = 100;
