/**
 * Returns what a `google.protobuf.Timestamp` is made of, as `timestampFromDate` does: what a handler returns is copied
 * into a message once, so that a message of it would be made twice.
 */
export function timestampOf(date: Date): { readonly seconds: bigint; readonly nanos: number } {
  const ms = date.getTime();
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1_000) * 1_000_000 };
}
