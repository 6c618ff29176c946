import type { IncomingHttpHeaders } from "node:http";

/** Web headers of Node's, without the pseudo-headers of HTTP/2. */
export function toWebHeaders(fields: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value === undefined || name.startsWith(":")) continue;
    if (Array.isArray(value)) for (const each of value) headers.append(name, each);
    else headers.append(name, value);
  }
  return headers;
}

/** Web headers as Node sends them: names in lower case, values checked. Cookies are not joined. */
export function toFields(headers: Headers): Record<string, string | string[]> {
  // Without a prototype: a header may be called constructor.
  const fields: Record<string, string | string[]> = Object.create(null);
  headers.forEach((value, name) => {
    const earlier = fields[name];
    fields[name] = earlier === undefined ? value : [...(typeof earlier === "string" ? [earlier] : earlier), value];
  });
  return fields;
}

/**
 * The value of one of Node's headers as web headers would have it: joined, without space around it (a header that came
 * twice may have had an empty value); null where there is none.
 */
export function headerText(value: string | readonly string[] | undefined): string | null {
  if (value === undefined) return null;
  return (typeof value === "string" ? value : value.join(", ")).trim();
}
