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

/**
 * Returns the head of a request (RFC 9112, section 3), one character for each byte. `hostLine` names the server where
 * the fields do not. Throws a `RequestFault` for what would not be read as it is meant.
 */
export function requestHead({ verb, path, fields, body }: HttpRequest, hostLine: string): string {
  if (!methodPattern.test(verb) || verb === "CONNECT") throw new RequestFault(`the client sends no ${verb}`);
  if (!pathPattern.test(path)) throw new RequestFault("the path has characters that are to be escaped");
  let head = `${verb} ${path} HTTP/1.1\r\n${fields.host === undefined ? hostLine : ""}`;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value === undefined || ownFields.has(name)) continue;
    if (!namePattern.test(name) || refusedFields.has(name)) throw new RequestFault(`the client sends no field ${name}`);
    if (typeof value === "string") head += fieldLine(name, value);
    else for (const each of value) head += fieldLine(name, each);
  }
  return body === undefined ? `${head}\r\n` : `${head}content-length: ${body.byteLength}\r\n\r\n`;
}

function fieldLine(name: string, value: string): string {
  if (!valuePattern.test(value)) throw new RequestFault(`the field ${name} has characters that HTTP does not allow`);
  return `${name}: ${value}\r\n`;
}
