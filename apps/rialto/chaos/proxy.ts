import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A line between two parts, that can be cut. */
export interface Line {
  /** "order-1 -> payment-2". */
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** Closes what is open and takes nobody until `mend`. */
  cut(): void;
  /** Lets every byte of either side wait until `mend`: for them the other side is silent. */
  silence(): void;
  mend(): void;
  close(): void;
}

/** Lays a line: a TCP port of its own that leads to another one, on 127.0.0.1 both. Where that one moves, new connections go there. */
export async function layLine(o: {
  readonly from: string;
  readonly to: string;
  readonly targetPort: () => number;
}): Promise<Line> {
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
  // It listens on TCP, so it has an address with a port.
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
    mend() {
      if (state === "SILENT") for (const pair of pairs) flow(pair);
      state = "OPEN";
    },
    close() {
      server.close();
      for (const pair of pairs) end(pair);
    },
  };
}
