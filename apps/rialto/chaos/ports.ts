import { once } from "node:events";
import { createServer, type Server } from "node:net";

/**
 * Below Linux's range for outgoing connections (32768 and up), so that a port stays ours while nothing listens on it.
 */
const lowest = 10_000;
const highest = 32_000;
const blockPorts = 40;

/** Ports reserved for one run, also while their processes are down. */
export interface PortBlock {
  next(): number;
  close(): void;
}

/** Reserves a block of ports. Its first port is listened on during the run, which reserves the block. */
export async function takePortBlock(): Promise<PortBlock> {
  const blocks = Math.floor((highest - lowest) / blockPorts);
  const start = Math.floor(Math.random() * blocks);
  for (let tries = 0; tries < blocks; tries += 1) {
    const base = lowest + ((start + tries) % blocks) * blockPorts;
    const lock = await listen(base);
    if (lock === undefined) continue;
    const free: number[] = [];
    for (let port = base + 1; port < base + blockPorts; port += 1) {
      const probe = await listen(port);
      if (probe === undefined) continue;
      await new Promise((resolve) => probe.close(resolve));
      free.push(port);
    }
    return {
      next() {
        const port = free.shift();
        if (port === undefined) throw new Error("The run needs more ports than a block has");
        return port;
      },
      close: () => void lock.close(),
    };
  }
  throw new Error(`No ports are free between ${lowest} and ${highest}`);
}

async function listen(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server;
  } catch {
    return undefined;
  }
}
