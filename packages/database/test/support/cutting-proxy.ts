import { connect, createServer, type Socket } from "node:net";

/** A way to the server that can be cut at a chosen moment. */
export interface CuttingProxy {
  readonly url: string;
  /** The next answer of the server is lost, and its connection with it. */
  loseNextAnswer(): void;
  /** Cuts the connections on the client's side: the server does not notice until it answers. */
  cut(): void;
  /** Breaks the connections on the client's side. */
  reset(): void;
  /**
   * What is open carries nothing any more, as when the server's machine is gone without a word. New connections work.
   */
  silence(): void;
  /** Breaks new connections, or closes them as politely as a proxy with nobody behind it, until told otherwise. */
  refuse(how: "reset" | "close" | "not"): void;
  close(): Promise<void>;
}

/** Stands between a client and the Postgres of `url`. */
export async function createCuttingProxy(url: string): Promise<CuttingProxy> {
  const target = new URL(url);
  const { hostname, port } = target;
  const clients = new Set<Socket>();
  const silenced = new WeakSet<Socket>();
  let losing = false;
  let refusing: "reset" | "close" | "not" = "not";
  const server = createServer((client) => {
    if (refusing === "reset") client.resetAndDestroy();
    if (refusing === "close") client.destroy();
    if (refusing !== "not") return;
    clients.add(client);
    const upstream = connect(Number(port), hostname);
    upstream.on("error", () => client.destroy());
    client.on("error", () => undefined);
    client.on("data", (data) => {
      if (!silenced.has(client)) upstream.write(data);
    });
    upstream.on("data", (data) => {
      if (silenced.has(client)) return;
      if (losing) {
        losing = false;
        client.destroy();
      } else if (!client.destroyed) client.write(data);
    });
    client.on("close", () => {
      clients.delete(client);
      // Half-open on purpose: a server that is at work does not hear that its client is gone.
      setTimeout(() => upstream.end(), 50);
    });
    upstream.on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  target.port = String(typeof address === "object" && address !== null ? address.port : 0);
  return {
    url: target.href,
    loseNextAnswer: () => {
      losing = true;
    },
    cut: () => {
      for (const client of clients) client.destroy();
    },
    reset: () => {
      for (const client of clients) client.resetAndDestroy();
    },
    silence: () => {
      for (const client of clients) silenced.add(client);
    },
    refuse: (how) => {
      refusing = how;
    },
    close: () =>
      new Promise((resolve) => {
        for (const client of clients) client.destroy();
        server.close(() => resolve());
      }),
  };
}
