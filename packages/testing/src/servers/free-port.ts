import { createServer } from "node:net";

/**
 * Below the ports that Linux gives to outgoing connections, 32768 and up: no connection takes one of these meanwhile.
 */
const lowest = 10_000;
const highest = 32_000;
const triesMax = 100;

/**
 * Returns a port on which nothing listens, for a process that is to listen on it later. It is drawn at random, so that
 * tests that run at the same time draw different ones.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) return port;
  }
  throw new Error(`No port was free in ${triesMax} tries`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    // On all addresses, as some of those that listen on it later do.
    const probe = createServer().listen(port);
    probe.once("error", () => resolve(false));
    probe.once("listening", () => probe.close(() => resolve(true)));
  });
}
