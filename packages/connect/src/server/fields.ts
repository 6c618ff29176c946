import type { IncomingHttpHeaders } from "node:http";
import type { Fields } from "./exchange.ts";

/** Web headers of Node's, without the pseudo-headers of HTTP/2. */
export function webHeaders(fields: IncomingHttpHeaders | Fields): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || name.startsWith(":")) continue;
    if (typeof value === "string") headers.append(name, value);
    else for (const one of value) headers.append(name, one);
  }
  return headers;
}

/**
 * The value of one of Node's headers as web headers would have it: joined, without space around it (a header that came
 * twice may have had an empty value); null where there is none.
 */
export function textOf(value: string | readonly string[] | undefined): string | null {
  if (value === undefined) return null;
  return (typeof value === "string" ? value : value.join(", ")).trim();
}

/** Web headers as Node sends them. Cookies are not joined. */
export function fieldsOf(headers: Headers): Fields {
  // Without a prototype: a header may be called constructor.
  const fields: Fields = Object.create(null);
  for (const [name, value] of headers) {
    const earlier = fields[name];
    fields[name] = earlier === undefined ? value : [...(typeof earlier === "string" ? [earlier] : earlier), value];
  }
  return fields;
}
