import { requestHeadBytesMax, requestReadMsMax } from "@rialto/http";

/** Timeout of a unary call that has none. */
export const unaryTimeoutMsDefault = 5_000;

/** The longest timeout of a unary call. A longer one is cut to it. */
export const unaryTimeoutMsMax = 60_000;

/** Timeout of a stream that has none, and the longest timeout of a stream. */
export const streamTimeoutMsMax = 10 * 60_000;

/** The largest message that is read or written, on either side. */
export const messageBytesMax = 4 * 1024 * 1024;

/**
 * The messages in one response, page or not: the largest message, less its framing. Measured by `messageSize`, which
 * takes the larger of JSON and binary.
 */
export const answerBytesMax = messageBytesMax - 64 * 1024;

/**
 * The size of a request whose method has no option `request_size`: bytes of the body, compressed and decompressed;
 * fields, list items and map entries; nesting depth. The largest valid message of the contract has 61 kB, with every
 * character of a product's description escaped in JSON, and 307 fields.
 */
export const requestSizeDefault = { bytes: 128 * 1024, fields: 1_000, depth: 32 } as const;

/** The most that an option `request_size` may allow. No decoder reads deeper than 100. */
export const requestSizeMax = { bytes: messageBytesMax, fields: 100_000, depth: 100 } as const;

/** A longer number in JSON is refused without parsing it. A double written in full has about 60 characters. */
export const jsonNumberCharsMax = 128;

/** Paths in one field mask. A valid mask names each field that can change once. */
export const fieldMaskPathsMax = 64;

/** Violations that one error names. Its metadata tells how many more there are. */
export const violationsMax = 20;

/**
 * All details of one error, in binary. Connect's JSON has them twice, in base64 and readable: with its headers such
 * a response stays under 8 KiB.
 */
export const errorDetailBytesMax = 2_688;

/** The message of an error. It is cut where it contains a name that the client chose. */
export const errorMessageBytesMax = 512;

/** One text in an error's details: a path, a description, a value of the metadata. */
export const errorTextBytesMax = 256;

/** A smaller response is not compressed. */
export const compressionBytesMin = 16 * 1024;

/** The longest idempotency key. */
export const idempotencyKeyCharsMax = 255;

/** Attempts of a call that is safe to retry, the first one included. */
export const callTriesMax = 3;

/**
 * Upper bound of the first delay between two attempts. It doubles with each attempt; the delay is drawn from 0 to
 * it.
 */
export const retryDelayMsBase = 25;

/** Upper bound of every delay between two attempts. */
export const retryDelayMsMax = 400;

/** Retries of one service that are available for a burst of failures. */
export const retryBudgetMax = 100;

/** What each request adds to them: one in five requests may be retried. */
export const retryShare = 0.2;

/** Failures in a row after which a replica's breaker opens. */
export const breakerFailuresMax = 5;

/** How long a breaker stays open before its first probe. It doubles with each probe that fails. */
export const breakerPauseMsBase = 500;

/** The longest time that a breaker stays open: how soon a replica that recovered is used again. */
export const breakerPauseMsMax = 5_000;

/** How long the response to a probe may take. Longer than the shortest silence that counts. */
export const probeMsMax = 2_000;

/** How long a replica's notice that it is about to stop counts. By then its address is gone, or it runs again. */
export const leavingMs = 5_000;

/** How often the addresses of a name are looked up. Each wait is drawn from half of it to the whole. */
export const dnsPollMs = 4_000;

/** How often they are looked up while connections to them fail. */
export const dnsAgainMs = 1_000;

/** How long one resolver may take to answer. The second try gets twice as long. */
export const dnsTryMs = 500;

/** Tries of one lookup. */
export const dnsTriesMax = 2;

/** Addresses of one name that a process uses. Of more each process uses others. */
export const replicasMax = 64;

/** A call without a response that waited less than this tells nothing about its replica: its deadline was too short. */
export const silenceMsMin = 1_000;

/**
 * How much earlier than its caller a replica must give up: the time that its own DEADLINE_PASSED may take to arrive.
 */
export const answerMarginMs = 250;

/** What is buffered of a request, so that it can be retried, and of a response, so that no partial one is passed on. */
export const replayBufferBytesMax = messageBytesMax + 64 * 1024;

/** Calls in flight from one process to one replica, each on a connection of its own over HTTP/1.1. */
export const upstreamCallsMax = 256;

/** Calls that wait for one of those to end. */
export const upstreamCallsWaitingMax = 1_000;

/** HTTP/2 connections of each channel to a replica. A lost connection ends a quarter of the calls at most. */
export const upstreamSessionsMax = 4;

/** Idle connections that are kept for the next call. */
export const upstreamIdleSocketsMax = 64;

/**
 * Streams from one process to one replica; and requests in progress on one HTTP/2 connection to a service, as the
 * gateway multiplexes the calls of all clients.
 */
export const upstreamStreamsMax = 1_000;

/**
 * How long a client may take to receive a response: this long however small it is, and what it needs at the minimum
 * drain rate of 32 kbit/s, half of what the slowest lines have that people still shop over.
 */
export const responseWriteTimeout = { ms: 10_000, bytesPerSecond: 4 * 1024 } as const;

/**
 * How fast a body must arrive: within this time however small it is, and at this rate where it is large. It ends
 * before the port's own timeout, so that the error can still be sent.
 */
export const bodyPaceMin = { ms: 10_000, bytesPerSecond: 4 * 1024, msMax: requestReadMsMax - 2_000 } as const;

/**
 * Memory that incomplete requests may hold at a service. Gateways send whole bodies: a client that holds much is
 * none, and is evicted first.
 */
export const serviceRequestBytesMax = 128 * 1024 * 1024;

/** What a gateway adds to the head of a request: its token, the caller, the trace. */
const addedHeadBytesMax = 4 * 1024;

/** All headers of one request to a service: those of the client, and those that a gateway adds. */
export const serviceHeadBytesMax = requestHeadBytesMax + addedHeadBytesMax;

/**
 * The trailers of a gRPC response. Below 8 KiB, which is what many clients and proxies read of all headers together.
 */
export const grpcStatusBytesMax = 6 * 1024;

/**
 * Streams of one HTTP/2 connection between our processes that its client may reset at once, and each second over
 * time. The connection carries the calls of many callers: a few that cancel again and again must not end it for the
 * others.
 */
export const peerStreamResets = { burst: 20_000, perSecond: 5_000 } as const;

/**
 * Signing keys are fetched again after this time, and at once where a token names an unknown key: how long a removed
 * key is still accepted.
 */
export const keySetAgeMsMax = 30_000;

/** How long a call waits for signing keys to be fetched again while older ones are cached. */
export const keySetWaitMsMax = 1_000;

/** Tokens that name an unknown key cause a fetch at most this often. */
export const keySetRefetchMsMin = 2_000;

/** Verified tokens that are cached, so that a signature is verified once. */
export const verifiedTokensMax = 10_000;

/** How often the revocation list is fetched. Each wait is drawn from half of it to the whole. */
export const revocationPollMs = 4_000;

/** How long one fetch may take. */
export const revocationAskMsMax = 3_000;

/**
 * How far a fetch looks back from the newest known end of a session: its time is set before it is committed, and by
 * another machine's clock.
 */
export const revocationOverlapMs = 60_000;

/** How long an ended session is kept: as long as an access token lives, plus a margin for clocks. */
export const revocationKeptMs = 20 * 60_000;

/** Ended sessions that are kept. The oldest are dropped. */
export const revocationsMax = 500_000;

/** An older list is stale: health reports it, and an ended session's tokens may stay valid until they expire. */
export const revocationsStaleMs = 20_000;

/** Tolerated difference between two machines' clocks. */
export const clockSkewSecondsMax = 5;

/**
 * How far the clock of a machine that signs a token may be ahead of ours. More than the tolerance above is safe, as
 * a token's lifetime is bounded.
 */
export const issuerSkewSecondsMax = 300;

/** How long an access token lives. One with a longer lifetime is refused, however it is signed. */
export const accessTokenSecondsMax = 900;

/** How long a service's own token lives. */
export const serviceTokenSecondsMax = 60;

/**
 * A cached token of a service, or of the gateway for a person, is replaced when it has less than this to live: a
 * call must not outlast its token, and its body may take `bodyPaceMin.msMax` to arrive.
 */
export const serviceTokenSecondsMin = 30;

/** Tokens of its own that a process caches for the next call. */
export const signedTokensMax = 10_000;

/** Rows on a page where the request gives no size. */
export const pageRowsDefault = 50;

/** Rows on a page at most. A page ends earlier where its rows exceed `answerBytesMax`. */
export const pageRowsMax = 200;

/** How long the answers of calls that a closing port ended may take to reach their clients. */
export const lastAnswerMs = 1_000;

/** How often the status of a watched service is checked. */
export const healthWatchMs = 1_000;

/** The largest request message of gRPC's own services. */
export const standardMessageBytesMax = 64 * 1024;

/** Requests in one stream of reflection. A tool that reads the whole contract sends about 30. */
export const reflectionQuestionsMax = 100;
