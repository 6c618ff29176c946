import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A port of 127.0.0.1 that leads to a server, as the name of a server does that fails over. */
export interface MovingName {
  readonly port: number;
  /** Leads new connections to another port, and leaves those that are open where they are. */
  move(port: number): void;
  close(): Promise<void>;
}

/** Makes a name for what listens on `target`. */
export async function movingName(target: number): Promise<MovingName> {
  let to = target;
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: to, host: "127.0.0.1", noDelay: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    move(port) {
      to = port;
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
