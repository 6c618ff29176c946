import { BulkheadFull } from "@rialto/async";
import { TurnBatch } from "../turn-batch.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import type { Server } from "./open-socket.ts";
import type { PendingRequest } from "./pending-request.ts";

/** What one origin may have. */
export interface PoolBounds {
  readonly connectionsMax: number;
  /** Requests that wait for one of them. One above it fails at once with `BulkheadFull`: it was not sent. */
  readonly waitingMax: number;
}

/** How often idle connections are looked at. A process that has nothing else to do ends by then. */
const sweepMs = 1_000;

/**
 * The connections to one server. A request takes the connection that was used last, or waits for one: for one that is
 * about to be free, or for one that is made for it.
 *
 * A connection rests before its next request until the loop has looked for bytes once more. A server that answers twice
 * would otherwise have its second answer read as that of the next request. Nobody waits long: where connections are
 * resting, the loop does not sleep.
 */
export class ConnectionPool implements ConnectionOwner {
  readonly #server: Server;
  readonly #bounds: PoolBounds;
  readonly #onEmpty: () => void;
  readonly #all = new Set<Connection>();
  readonly #waiting = new Set<PendingRequest>();
  #connecting = 0;
  /** The one that was used last is the last. */
  #idle: Connection[] = [];
  /** Became free in this turn of the loop, and in the one before. */
  #resting: Connection[] = [];
  #rested: Connection[] = [];
  #isTurning = false;
  #sweep: NodeJS.Timeout | undefined;
  readonly #batch = new TurnBatch();

  /** `onEmpty` is called when the last connection is closed, and nothing waits. */
  constructor(server: Server, bounds: PoolBounds, onEmpty: () => void) {
    this.#server = server;
    this.#bounds = bounds;
    this.#onEmpty = onEmpty;
  }

  send(request: PendingRequest): void {
    const connection = this.#takeIdle();
    if (connection !== undefined) connection.send(request);
    else if (this.#waiting.size >= this.#bounds.waitingMax) request.fail(full(this.#bounds));
    else {
      this.#waiting.add(request);
      this.#connect();
    }
  }

  /** Takes out a request that waits. */
  forget(request: PendingRequest): void {
    this.#waiting.delete(request);
  }

  /** Ends everything with this error. */
  close(error: Error): void {
    clearTimeout(this.#sweep);
    for (const request of [...this.#waiting]) {
      this.#waiting.delete(request);
      request.fail(error);
    }
    for (const connection of [...this.#all]) connection.close(error);
  }

  onReady(connection: Connection): void {
    this.#connecting -= 1;
    this.#offer(connection);
  }

  onFree(connection: Connection): void {
    this.#resting.push(connection);
    if (!this.#isTurning) setImmediate(this.#onTurn);
    this.#isTurning = true;
  }

  onClosed(connection: Connection, error: Error): void {
    this.#all.delete(connection);
    for (const list of [this.#idle, this.#resting, this.#rested]) remove(list, connection);
    if (!connection.isReady) {
      this.#connecting -= 1;
      this.#takeWaiting()?.fail(error);
    }
    this.#connect();
    if (this.#all.size === 0 && this.#waiting.size === 0) this.#onEmpty();
  }

  readonly #onTurn = (): void => {
    const ready = this.#rested;
    this.#rested = this.#resting;
    this.#resting = [];
    this.#isTurning = this.#rested.length > 0;
    if (this.#isTurning) setImmediate(this.#onTurn);
    for (const connection of ready) if (!connection.isClosed) this.#offer(connection);
    // Where a connection closed meanwhile, a request may wait for nothing.
    this.#connect();
  };

  /** Makes as many connections as there are requests that no other connection is about to be free for. */
  #connect(): void {
    const coming = this.#connecting + this.#resting.length + this.#rested.length;
    const missing = Math.min(this.#waiting.size - coming, this.#bounds.connectionsMax - this.#all.size);
    for (let count = 0; count < missing; count += 1) {
      this.#connecting += 1;
      this.#all.add(new Connection(this.#server, this, this.#batch));
    }
  }

  /** Gives a connection to the request that has waited longest, or keeps it for the next one. */
  #offer(connection: Connection): void {
    const request = this.#takeWaiting();
    if (request !== undefined) {
      connection.send(request);
      return;
    }
    this.#idle.push(connection);
    this.#sweep ??= setTimeout(this.#onSweep, sweepMs).unref();
  }

  #takeWaiting(): PendingRequest | undefined {
    for (const request of this.#waiting) {
      this.#waiting.delete(request);
      return request;
    }
    return undefined;
  }

  /** The loop may have been busy for longer than a server waits. */
  #takeIdle(): Connection | undefined {
    for (let last = this.#idle.pop(); last !== undefined; last = this.#idle.pop()) {
      if (!last.isOld(performance.now())) return last;
      last.close(new Error("the connection was idle"));
    }
    return undefined;
  }

  readonly #onSweep = (): void => {
    this.#sweep = undefined;
    const now = performance.now();
    for (const connection of this.#idle.filter((each) => each.isOld(now)))
      connection.close(new Error("the connection was idle"));
    // Not with each request: two calls of the operating system's loop took a twentieth of one.
    for (const connection of this.#idle) connection.unref();
    if (this.#idle.length > 0) this.#sweep = setTimeout(this.#onSweep, sweepMs).unref();
  };
}

function remove(list: Connection[], connection: Connection): void {
  const index = list.indexOf(connection);
  if (index !== -1) list.splice(index, 1);
}

function full({ connectionsMax, waitingMax }: PoolBounds): BulkheadFull {
  return new BulkheadFull(`all ${connectionsMax} connections are in use, and ${waitingMax} requests wait`);
}
