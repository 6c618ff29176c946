/** How long a client may take. */
export interface HttpTimeouts {
  /** To show which protocol it speaks; to send the head of a request. */
  readonly headMs: number;
  /** To send a whole request. */
  readonly readMs: number;
  /** Between two requests. */
  readonly idleMs: number;
}

/** How long a server keeps an idle connection. Clients should close theirs earlier. */
export const keepAliveMsMax = 65_000;

/** How long a client may take to send the head of a request. */
export const requestHeadMsMax = 10_000;

/** How long a client may take to send a whole request. */
export const requestReadMsMax = 30_000;

/** All headers of one request together. */
export const requestHeadBytesMax = 16 * 1024;

/** Streams of one HTTP/2 connection that its client may open and reset. */
export const clientStreamResets = { burst: 200, perSecond: 50 } as const;

/** How long a client may go on sending over HTTP/2 after its response is complete. */
export const lingerMsMax = 1_000;

/** Connections that one server holds at once. */
export const serverConnectionsMax = 10_000;

/** Connections that clients with a limit share. The rest is left for those without one, for example proxies. */
export const sharedConnectionsMax = 9_000;

/** How long a server that closes waits for the requests in progress, where it is not told otherwise. */
export const closeGraceMsMax = 3_000;
