import pg from "pg";

/**
 * pg's client with an `error` listener at every moment of its life. A client that the pool lends has none of the pool's, one that BullMQ gives back has
 * none of BullMQ's, and an `error` that nobody listens for ends the process: a server that ends its sessions would do so sooner or later.
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

  /** Ends the connection as if the server had: whoever has it is told by its `error`. */
  cut(): void {
    this.connection.stream.destroy(new Error("The connection was given up"));
  }

  #listen(): void {
    this.on("error", (error) => {
      this.failure ??= error;
    });
  }
}
