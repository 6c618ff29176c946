import { validateHeaderName, validateHeaderValue } from "node:http";
import type { HttpFields } from "@rialto/http";
import { toFields } from "../headers/web-headers.ts";

/** The headers that a caller gives for one call. */
export type GivenHeaders = ConstructorParameters<typeof Headers>[0];

/**
 * Adds the fields that a caller gives for one call. The protocol's own win, as in the official transports. Throws a
 * `TypeError` for a name or a value that HTTP does not allow. A plain object, as callers mostly give, is read without
 * web headers.
 */
export function addCallerFields(own: HttpFields, given: GivenHeaders): HttpFields {
  if (given === undefined) return own;
  const fields = isPlain(given)
    ? checkedFields(given)
    : toFields(given instanceof Headers ? given : new Headers(given));
  for (const name of Object.keys(fields)) if (!Object.hasOwn(own, name)) own[name] = fields[name];
  return own;
}

function isPlain(given: NonNullable<GivenHeaders>): given is Record<string, string> {
  return !(given instanceof Headers) && !Array.isArray(given) && !(Symbol.iterator in given);
}

function checkedFields(given: Readonly<Record<string, string>>): HttpFields {
  // A header may have the name of something that every object inherits.
  const fields: HttpFields = Object.create(null);
  for (const key of Object.keys(given)) {
    const name = key.toLowerCase();
    const value = `${given[key]}`.trim();
    validateHeaderName(name);
    validateHeaderValue(name, value);
    const other = fields[name];
    fields[name] = other === undefined ? value : `${other}, ${value}`;
  }
  return fields;
}
