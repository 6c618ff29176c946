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

/** How many names a client keeps the beginning of a line for, and how long one of them may be. */
const keptNamesMax = 256;
const keptNameCharsMax = 64;

/** Writes the heads of requests. */
export interface RequestWriter {
  /**
   * Returns the head of a request (RFC 9112, section 3), one character for each byte. `hostLine` names the server where
   * the fields do not. Throws a `RequestFault` for what would not be read as it is meant.
   */
  head(request: HttpRequest, hostLine: string): string;
}

/**
 * Creates a writer. Requests have nearly the same names again and again, so each name is looked at once.
 */
export function createRequestWriter(): RequestWriter {
  /** The beginning of a field's line by its name; an empty one for a field that is the client's own. */
  const starts = new Map<string, string>();

  function startOf(name: string): string {
    if (ownFields.has(name)) return "";
    if (!namePattern.test(name) || refusedFields.has(name)) throw new RequestFault(`the client sends no field ${name}`);
    const start = `${name}: `;
    if (starts.size < keptNamesMax && name.length <= keptNameCharsMax) starts.set(name, start);
    return start;
  }

  return {
    head({ verb, path, fields, body }, hostLine) {
      if (!methodPattern.test(verb) || verb === "CONNECT") throw new RequestFault(`the client sends no ${verb}`);
      if (!pathPattern.test(path)) throw new RequestFault("the path has characters that are to be escaped");
      let head = `${verb} ${path} HTTP/1.1\r\n${fields.host === undefined ? hostLine : ""}`;
      for (const name in fields) {
        const value = fields[name];
        if (value === undefined) continue;
        const start = starts.get(name) ?? startOf(name);
        if (start === "") continue;
        if (typeof value === "string") head += start + checked(name, value);
        else for (const each of value) head += start + checked(name, each);
      }
      return body === undefined ? `${head}\r\n` : `${head}content-length: ${body.byteLength}\r\n\r\n`;
    },
  };
}

/** Returns a value with the end of its line. */
function checked(name: string, value: string): string {
  if (!valuePattern.test(value)) throw new RequestFault(`the field ${name} has characters that HTTP does not allow`);
  return `${value}\r\n`;
}
