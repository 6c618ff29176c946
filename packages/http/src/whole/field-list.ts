import type { OutgoingHttpHeaders } from "node:http";

/** Names in lower case and values, in turn. */
export type FieldList = readonly string[];

/** Sets the field of a list to a value, or to several, each on a line of its own. */
export function setField(fields: string[], name: string, value: number | string | readonly string[]): void {
  const lowerName = name.toLowerCase();
  removeField(fields, lowerName);
  for (const each of Array.isArray(value) ? value : [value]) fields.push(lowerName, `${each}`);
}

/** Removes each line of a field. */
export function removeField(fields: string[], name: string): void {
  for (let at = findField(fields, name); at !== -1; at = findField(fields, name)) fields.splice(at, 2);
}

/** Returns where the first line of a field is: the place of its name, or -1. */
export function findField(fields: FieldList, name: string): number {
  const wanted = name.toLowerCase();
  for (let at = 0; at < fields.length; at += 2) if (fields[at] === wanted) return at;
  return -1;
}

/** Returns these fields and those of `headers`, of which an object replaces what was set before. */
export function withHeaders(fields: FieldList, headers: FieldList | OutgoingHttpHeaders): string[] {
  if (isList(headers)) return fields.length === 0 ? headers.slice() : [...fields, ...headers];
  const all = [...fields];
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) setField(all, name, value);
  return all;
}

function isList(headers: FieldList | OutgoingHttpHeaders): headers is FieldList {
  return Array.isArray(headers);
}
