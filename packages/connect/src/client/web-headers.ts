import type { HttpFields } from "./http-client.ts";

/** Fields as web headers, without the pseudo-header fields of HTTP/2. */
export function toWebHeaders(fields: HttpFields): Headers {
  const headers = new Headers();
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value === undefined || name.startsWith(":")) continue;
    if (Array.isArray(value)) for (const each of value) headers.append(name, each);
    else headers.append(name, `${value}`);
  }
  return headers;
}

/** Web headers as fields. Their names are in lower case, and their values checked. */
export function toFields(headers: Headers): HttpFields {
  // A header may have the name of something that every object inherits.
  const fields: HttpFields = Object.create(null);
  headers.forEach((value, name) => {
    fields[name] = value;
  });
  return fields;
}
