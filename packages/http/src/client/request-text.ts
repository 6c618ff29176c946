import { createRecentMap, type RecentMap } from "@rialto/async";
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
/** Values longer than this, as tokens, come again: the lines of so many are kept, beside the last one of each name. */
const longValueCharsMin = 128;
const longLinesMax = 1_024;

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
  const longLines = createRecentMap<LongLine>(longLinesMax);
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
    head({ verb, path, fields, replaced, body }, hostLine) {
      if (verb !== "POST" && (!methodPattern.test(verb) || verb === "CONNECT"))
        throw new RequestFault(`the client sends no ${verb}`);
      assertPath(path);
      let head = `${verb} ${path} HTTP/1.1\r\n${fields.host === undefined ? hostLine : ""}`;
      if (replaced !== undefined) {
        const line = known.get(replaced[0]) ?? knownOf(replaced[0]);
        if (line.start !== "") head += lineOf(line, replaced[0], replaced[1], longLines);
      }
      for (const name in fields) {
        const value = fields[name];
        if (value === undefined || name === replaced?.[0]) continue;
        const line = known.get(name) ?? knownOf(name);
        if (line.start === "") continue;
        if (typeof value === "string") head += lineOf(line, name, value, longLines);
        else for (const each of value) head += lineOf(line, name, each, longLines);
      }
      return body === undefined ? `${head}\r\n` : `${head}content-length: ${body.byteLength}\r\n\r\n`;
    },
  };
}

/** The line of a long value, as it was written for a field of this name. */
interface LongLine {
  readonly name: string;
  readonly line: string;
}

/** Returns the line of a field with this value. */
function lineOf(known: KnownLine, name: string, value: string, longLines: RecentMap<LongLine>): string {
  if (value === known.value) return known.line;
  const isLong = value.length >= longValueCharsMin && value.length <= keptValueCharsMax;
  const before = isLong ? longLines.get(value) : undefined;
  if (before?.name === name) return before.line;
  if (!valuePattern.test(value)) throw new RequestFault(`the field ${name} has characters that HTTP does not allow`);
  const line = `${known.start}${value}\r\n`;
  if (isLong) longLines.set(value, { name, line });
  else if (value.length <= keptValueCharsMax) {
    known.value = value;
    known.line = line;
  }
  return line;
}
