import { type AddressInfo, connect as connectTcp, createServer } from "node:net";

/** One frame of HTTP/2 (RFC 9113, section 4.1). */
export interface Frame {
  readonly type: "DATA" | "HEADERS" | "RST_STREAM" | "GOAWAY" | "other";
  readonly endStream: boolean;
  readonly stream: number;
  readonly length: number;
}

/** A relay to a server that shows which frames it sends. */
export interface FrameTap {
  readonly url: string;
  /** The frames on request streams so far, and GOAWAY. */
  readonly frames: Frame[];
  close(): void;
}

/** Relays cleartext HTTP/2 connections to a server, and records the frames that come back. */
export async function tapFrames(url: string): Promise<FrameTap> {
  const { hostname, port } = new URL(url);
  const frames: Frame[] = [];
  const server = createServer((client) => {
    const upstream = connectTcp(Number(port), hostname);
    let bytes = Buffer.alloc(0);
    upstream.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let frame = frameAt(bytes); frame !== undefined; frame = frameAt(bytes)) {
        if (frame.type !== "other") frames.push(frame);
        bytes = bytes.subarray(headBytes + frame.length);
      }
    });
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    frames,
    close: () => void server.close(),
  };
}

const headBytes = 9;
const endStreamFlag = 0x1;
const types: Readonly<Record<number, Frame["type"]>> = { 0: "DATA", 1: "HEADERS", 3: "RST_STREAM", 7: "GOAWAY" };

function frameAt(bytes: Buffer): Frame | undefined {
  if (bytes.length < headBytes) return undefined;
  const length = bytes.readUIntBE(0, 3);
  if (bytes.length < headBytes + length) return undefined;
  const type = types[bytes.readUInt8(3)] ?? "other";
  const hasEnd = type === "DATA" || type === "HEADERS";
  const endStream = hasEnd && (bytes.readUInt8(4) & endStreamFlag) !== 0;
  return { type, endStream, stream: bytes.readUInt32BE(5) & 0x7fffffff, length };
}
