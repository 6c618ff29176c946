import * as http2 from "node:http2";
import * as net from "node:net";

/** A request as bytes, in either version of HTTP. */
export interface RawRequest {
  readonly seed: number;
  readonly title: string;
  readonly version: "1.1" | "2";
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** Bytes that the head announces beyond the body; the client then closes its side. */
  readonly missingBytes: number;
  /** Without a length. */
  readonly isChunked: boolean;
  /** Whether another request follows at once on the connection. HTTP/1.1 only. */
  readonly isFollowed: boolean;
}

/** What came back, without what differs from one answer to the next: the date, and how HTTP frames the body. */
export interface RawAnswer {
  /** 0 where no whole response came. */
  readonly status: number;
  readonly headers: readonly string[];
  readonly trailers: readonly string[];
  /** One character for each byte. */
  readonly body: string;
  /** How the response ended, where that is not its proper end. */
  readonly fault?: string;
  /** The status of the answer to the request that follows; 0 where none came. */
  readonly next?: number;
}

/** Sends requests to one port. */
export interface RawClient {
  /** Waits up to `patienceMs` for answers that a client's own end could overtake. */
  send(request: RawRequest, patienceMs: number): Promise<RawAnswer>;
  close(): void;
}

/** Lets a client send a header twice of which there should be one. Node's types do not know the option yet. */
const twiceAllowed = { strictSingleValueFields: false } as http2.ClientSessionOptions;
const authority = "rialto.test";
const framing = new Set(["date", "connection", "keep-alive", "transfer-encoding", "content-length"]);
/** How long an answer may take before it counts as none. */
const answerMsMax = 8_000;

export function createRawClient(port: number): RawClient {
  let session: http2.ClientHttp2Session | undefined;
  const current = () => {
    if (session === undefined || session.closed || session.destroyed) {
      session = http2.connect(`http://127.0.0.1:${port}`, twiceAllowed);
      session.on("error", () => undefined);
    }
    return session;
  };
  return {
    send: (request, patienceMs) =>
      request.version === "2" ? sendHttp2(current(), request) : sendHttp1(port, request, patienceMs),
    close: () => session?.destroy(),
  };
}

function sendHttp1(port: number, request: RawRequest, patienceMs: number): Promise<RawAnswer> {
  const { method, target, body, missingBytes, isChunked, isFollowed } = request;
  const length = isChunked ? "transfer-encoding: chunked" : `content-length: ${body.length + missingBytes}`;
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `host: ${authority}`,
    ...(isFollowed ? [] : ["connection: close"]),
    ...request.headers.map((header) => header.join(": ")),
    ...(body.length > 0 || missingBytes > 0 || method === "POST" ? [length] : []),
  ];
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  const isCut = missingBytes > 0;
  const content = isChunked && (body.length > 0 || isCut || method === "POST") ? chunked(body, isCut) : body;
  const { promise, resolve } = Promise.withResolvers<RawAnswer>();
  const parts: Buffer[] = [];
  const socket = net.connect(port, "127.0.0.1");
  socket.setTimeout(answerMsMax, () => socket.destroy());
  socket.write(Buffer.concat([head, content, Buffer.from(isFollowed ? follower : "")]));
  if (isCut) setTimeout(() => socket.end(), patienceMs);
  socket.on("data", (part) => parts.push(part));
  socket.on("error", () => undefined);
  socket.on("close", () => {
    const { answer, rest } = readHttp1(Buffer.concat(parts).toString("latin1"), method === "HEAD");
    resolve(isFollowed ? { ...answer, next: readHttp1(rest, false).answer.status } : answer);
  });
  return promise;
}

/** A request that is well-formed, and the last of its connection. */
const follower = [
  "GET /rialto.product.v1.ProductService/GetProduct?encoding=json&connect=v1&message=%7B%7D HTTP/1.1",
  `host: ${authority}`,
  "connection: close",
  "\r\n",
].join("\r\n");

function chunked(body: Buffer, isCut: boolean): Buffer {
  const middle = body.length >> 1;
  const parts = [body.subarray(0, middle), body.subarray(middle)].filter((part) => part.length > 0);
  const coded = parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]);
  return Buffer.concat([...coded, Buffer.from(isCut ? "" : "0\r\n\r\n")]);
}

const none: RawAnswer = { status: 0, headers: [], trailers: [], body: "" };

/** Reads the first response of a connection, before which a provisional one may come, and returns what is behind it. */
function readHttp1(all: string, isHead: boolean): { readonly answer: RawAnswer; readonly rest: string } {
  const text = all.replace(/^HTTP\/1\.1 1\d\d [^\r]*\r\n\r\n/, "");
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return { answer: text === "" ? none : { ...none, fault: "a part of a head" }, rest: "" };
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const fields = lines.map(fieldOf);
  const head = { ...none, status: Number(first.split(" ")[1]), headers: namedFields(fields) };
  const content = text.slice(end + 4);
  const value = (name: string) => fields.find((field) => field[0] === name)?.[1];
  if (isHead) return { answer: head, rest: content };
  if (value("transfer-encoding") === "chunked") {
    const { rest, ...read } = readChunks(content);
    return { answer: { ...head, ...read }, rest };
  }
  const length = Number(value("content-length") ?? content.length);
  const fault = content.length < length ? { fault: "a part of a body" } : {};
  return { answer: { ...head, body: content.slice(0, length), ...fault }, rest: content.slice(length) };
}

function readChunks(text: string): Pick<RawAnswer, "trailers" | "body" | "fault"> & { readonly rest: string } {
  let body = "";
  let at = 0;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd === -1) return { trailers: [], body, fault: "a part of the chunks", rest: "" };
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) {
      const end = text.indexOf("\r\n\r\n", lineEnd);
      const trailers = text.slice(lineEnd + 2, Math.max(end, lineEnd + 2)).split("\r\n");
      return { trailers: namedFields(trailers.map(fieldOf)), body, rest: text.slice(end + 4) };
    }
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}

function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function namedFields(fields: readonly (readonly [string, string])[]): readonly string[] {
  return fields
    .filter(([name]) => !framing.has(name) && name !== "")
    .map((field) => field.join(": "))
    .sort();
}

function sendHttp2(session: http2.ClientHttp2Session, request: RawRequest): Promise<RawAnswer> {
  const { method, target, body } = request;
  const { promise, resolve } = Promise.withResolvers<RawAnswer>();
  const headers: string[] = [":method", method, ":path", target, ":scheme", "http", ":authority", authority];
  for (const [name, value] of request.headers) {
    // Node's client sends no other (RFC 9113, section 8.2.2).
    if (name !== "te" || value === "trailers") headers.push(name.toLowerCase(), value.trim());
  }
  const hasBody = body.length > 0 || method === "POST";
  const stream = session.request(headers, { endStream: !hasBody });
  const parts: Buffer[] = [];
  const answer = { status: 0, headers: [] as readonly string[], trailers: [] as readonly string[] };
  stream.setTimeout(answerMsMax, () => stream.close(http2.constants.NGHTTP2_CANCEL));
  stream.on("response", (_fields, _flags, raw) => {
    const fields = pairs(raw);
    answer.status = Number(fields.find(([name]) => name === ":status")?.[1] ?? 0);
    answer.headers = namedFields(fields.filter(([name]) => !name.startsWith(":")));
  });
  stream.on("trailers", (_fields, _flags, raw) => {
    answer.trailers = namedFields(pairs(raw));
  });
  stream.on("data", (part: Buffer) => parts.push(part));
  stream.on("error", () => undefined);
  stream.on("close", () => {
    const body = Buffer.concat(parts).toString("latin1");
    const { rstCode } = stream;
    resolve({ ...answer, body, ...(rstCode === 0 ? {} : { fault: `reset with ${rstCode}` }) });
  });
  if (hasBody) stream.end(body);
  return promise;
}

function pairs(raw: readonly string[] | undefined): [name: string, value: string][] {
  const list = raw ?? [];
  return list.flatMap((name, at): [string, string][] => (at % 2 === 0 ? [[name, list[at + 1] ?? ""]] : []));
}
