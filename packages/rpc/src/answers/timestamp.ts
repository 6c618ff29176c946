/**
 * Returns the fields of a `google.protobuf.Timestamp`, and no message as `timestampFromDate` does: a handler's answer
 * is copied into a message, so a message in it would be made twice.
 */
export function timestampOf(date: Date): { readonly seconds: bigint; readonly nanos: number } {
  const ms = date.getTime();
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1_000) * 1_000_000 };
}
