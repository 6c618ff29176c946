import type { HttpRequest } from "./http-client.ts";
import { RequestFault } from "./http-faults.ts";

const methodPattern = /^[A-Z]+$/;
const pathPattern = /^\/[!-~]*$/;
const namePattern = /^[\w!#$%&'*+.^`|~-]+$/;
/** No character above 255: as one byte it would be another one, a line's end for example. */
const valuePattern = /^[\t -~\x80-\xff]*$/;

/** Fields that are about the connection: they are the client's own. */
const ownFields: ReadonlySet<string> = new Set(["connection", "content-length"]);
/** Fields that change how a request is read. */
const refusedFields: ReadonlySet<string> = new Set(["transfer-encoding", "upgrade", "keep-alive", "expect"]);

/** How many names a client keeps a line for, and how long one of them may be. */
const keptNamesMax = 256;
const keptNameCharsMax = 64;
/** The longest value that is kept: tokens are shorter. */
const keptValueCharsMax = 2_048;

/** Writes the heads of requests. */
export interface RequestWriter {
  /**
   * Returns the head of a request (RFC 9112, section 3), one character for each byte. `hostLine` names the server where
   * the fields do not. Throws a `RequestFault` for what would not be read as it is meant.
   */
  head(request: HttpRequest, hostLine: string): string;
}

/** A field's line as it was written last. */
interface KnownLine {
  /** Its beginning; empty for a field that is the client's own. */
  readonly start: string;
  value: string | undefined;
  line: string;
}

/**
 * Creates a writer. Requests have nearly the same names again and again, and many have the same value, so each name is
 * looked at once, and a value where it is not the one before.
 */
export function createRequestWriter(): RequestWriter {
  const known = new Map<string, KnownLine>();
  let lastPath = "/";

  function knownOf(name: string): KnownLine {
    const isOwn = ownFields.has(name);
    if (!isOwn && (!namePattern.test(name) || refusedFields.has(name)))
      throw new RequestFault(`the client sends no field ${name}`);
    const made: KnownLine = { start: isOwn ? "" : `${name}: `, value: undefined, line: "" };
    if (known.size < keptNamesMax && name.length <= keptNameCharsMax) known.set(name, made);
    return made;
  }

  function assertPath(path: string): void {
    if (path === lastPath) return;
    if (!pathPattern.test(path)) throw new RequestFault("the path has characters that are to be escaped");
    if (path.length <= keptValueCharsMax) lastPath = path;
  }

  return {
    head({ verb, path, fields, body }, hostLine) {
      if (verb !== "POST" && (!methodPattern.test(verb) || verb === "CONNECT"))
        throw new RequestFault(`the client sends no ${verb}`);
      assertPath(path);
      let head = `${verb} ${path} HTTP/1.1\r\n${fields.host === undefined ? hostLine : ""}`;
      for (const name in fields) {
        const value = fields[name];
        if (value === undefined) continue;
        const line = known.get(name) ?? knownOf(name);
        if (line.start === "") continue;
        if (typeof value === "string") head += lineOf(line, name, value);
        else for (const each of value) head += lineOf(line, name, each);
      }
      return body === undefined ? `${head}\r\n` : `${head}content-length: ${body.byteLength}\r\n\r\n`;
    },
  };
}

/** Returns the line of a field with this value. */
function lineOf(known: KnownLine, name: string, value: string): string {
  if (value === known.value) return known.line;
  if (!valuePattern.test(value)) throw new RequestFault(`the field ${name} has characters that HTTP does not allow`);
  const line = `${known.start}${value}\r\n`;
  if (value.length <= keptValueCharsMax) {
    known.value = value;
    known.line = line;
  }
  return line;
}
