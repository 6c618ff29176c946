import type { Socket } from "node:net";

/** What every client that begins with HTTP/2 sends first; no HTTP/1 request begins like it. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/**
 * Tells by its first bytes which HTTP a client speaks, however small the pieces are in which they come, and puts the bytes back for
 * whoever serves the connection. A connection that has not said so after `msMax`, or ends before, is undefined: the server that
 * would watch over its time does not have it yet.
 */
export function sniff(socket: Socket, msMax: number): Promise<"h1" | "h2" | undefined> {
  return new Promise((resolve) => {
    let seen = Buffer.alloc(0);
    const decide = (protocol: "h1" | "h2" | undefined) => {
      clearTimeout(late);
      socket.off("readable", look);
      socket.off("close", gone);
      socket.off("end", gone);
      socket.off("error", gone);
      if (protocol !== undefined) socket.unshift(seen);
      resolve(protocol);
    };
    const gone = () => decide(undefined);
    const look = () => {
      for (let piece = read(socket); piece !== undefined; piece = read(socket)) seen = Buffer.concat([seen, piece]);
      const known = Math.min(seen.length, preface.length);
      if (!seen.subarray(0, known).equals(preface.subarray(0, known))) decide("h1");
      else if (known === preface.length) decide("h2");
    };
    const late = setTimeout(gone, msMax);
    socket.on("readable", look);
    socket.once("close", gone);
    socket.once("end", gone);
    socket.once("error", gone);
  });
}

function read(socket: Socket): Buffer | undefined {
  // Without an encoding a socket gives Buffers.
  return (socket.read() as Buffer | null) ?? undefined;
}
