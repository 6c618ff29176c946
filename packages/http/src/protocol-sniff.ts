import type { Socket } from "node:net";

export type HttpVersion = "h1" | "h2";

/** The client connection preface of HTTP/2 (RFC 9113, section 3.4). No HTTP/1.1 request begins with it. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/**
 * Tells by the first bytes of a connection which HTTP version its client speaks, in however small pieces they arrive.
 * The bytes are put back for the server that gets the connection. Resolves with undefined where the connection ends
 * before, or `msMax` passes: no server enforces its own timeouts yet.
 */
export function sniff(socket: Socket, msMax: number): Promise<HttpVersion | undefined> {
  return new Promise((resolve) => {
    let seen = Buffer.alloc(0);
    const decide = (protocol: HttpVersion | undefined) => {
      clearTimeout(timer);
      socket.off("readable", onReadable);
      socket.off("close", onEnd);
      socket.off("end", onEnd);
      socket.off("error", onEnd);
      if (protocol !== undefined) socket.unshift(seen);
      resolve(protocol);
    };
    const onEnd = () => decide(undefined);
    const onReadable = () => {
      for (let piece = read(socket); piece !== undefined; piece = read(socket)) seen = Buffer.concat([seen, piece]);
      const compared = Math.min(seen.length, preface.length);
      if (!seen.subarray(0, compared).equals(preface.subarray(0, compared))) decide("h1");
      else if (compared === preface.length) decide("h2");
    };
    const timer = setTimeout(onEnd, msMax);
    socket.on("readable", onReadable);
    socket.once("close", onEnd);
    socket.once("end", onEnd);
    socket.once("error", onEnd);
  });
}

function read(socket: Socket): Buffer | undefined {
  // Without an encoding a socket gives Buffers.
  return (socket.read() as Buffer | null) ?? undefined;
}
