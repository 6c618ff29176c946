import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A network link between two parts, which can be cut. */
export interface Link {
  /** "order-1 -> payment-2". */
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** Closes open connections and refuses new ones until `restore`. */
  cut(): void;
  /** Holds back all data in both directions until `restore`. */
  silence(): void;
  restore(): void;
  close(): void;
}

/** Opens a TCP port on 127.0.0.1 that forwards to the target port. If the target moves, new connections follow it. */
export async function createLink(o: {
  readonly from: string;
  readonly to: string;
  readonly targetPort: () => number;
}): Promise<Link> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let state: "OPEN" | "CUT" | "SILENT" = "OPEN";

  const flow = ([near, far]: readonly [Socket, Socket]) => {
    near.pipe(far);
    far.pipe(near);
  };
  const hold = ([near, far]: readonly [Socket, Socket]) => {
    near.unpipe(far).pause();
    far.unpipe(near).pause();
  };
  const end = (pair: readonly [Socket, Socket]) => {
    pairs.delete(pair);
    for (const socket of pair) socket.destroy();
  };

  const server = createServer({ noDelay: true }, (near) => {
    if (state === "CUT") {
      near.destroy();
      return;
    }
    const pair = [near, connect({ port: o.targetPort(), host: "127.0.0.1", noDelay: true })] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => end(pair));
      socket.on("close", () => end(pair));
    }
    if (state === "OPEN") flow(pair);
    else hold(pair);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A TCP server's address has a port.
  const { port } = server.address() as AddressInfo;
  return {
    name: `${o.from} -> ${o.to}`,
    from: o.from,
    to: o.to,
    port,
    cut() {
      state = "CUT";
      for (const pair of pairs) end(pair);
    },
    silence() {
      state = "SILENT";
      for (const pair of pairs) hold(pair);
    },
    restore() {
      if (state === "SILENT") for (const pair of pairs) flow(pair);
      state = "OPEN";
    },
    close() {
      server.close();
      for (const pair of pairs) end(pair);
    },
  };
}
