/**
 * Freezes an answer with all that is in it, and returns it: a change of it throws then. For tests, which so find who
 * changes what others got as well. Bytes cannot be frozen, and the time of a `Date` is no property: both stay as they
 * are.
 */
export function deepFrozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFrozen(part);
  return value;
}
