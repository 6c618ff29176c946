import pg from "pg";

/**
 * pg's client with an `error` listener at all times. A client that was acquired from the pool has no listener of the
 * pool, one that BullMQ has released has none of BullMQ's, and an `error` event without a listener ends the process.
 */
export class PgClient extends pg.Client {
  /** What ended the connection; undefined while it is open. */
  failure: Error | undefined;

  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.#listen();
  }

  override removeAllListeners(event?: Parameters<pg.Client["removeAllListeners"]>[0]): this {
    super.removeAllListeners(event);
    if (event === undefined || event === "error") this.#listen();
    return this;
  }

  /** Ends the connection as if the server had: its user gets an `error` event. */
  cut(): void {
    this.connection.stream.destroy(new Error("The connection was given up"));
  }

  #listen(): void {
    this.on("error", (error) => {
      this.failure ??= error;
    });
  }
}
