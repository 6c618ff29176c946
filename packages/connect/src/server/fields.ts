/**
 * The value of one of Node's headers as web headers would have it: joined, without space around it (a header that came
 * twice may have had an empty value); null where there is none.
 */
export function textOf(value: string | readonly string[] | undefined): string | null {
  if (value === undefined) return null;
  return (typeof value === "string" ? value : value.join(", ")).trim();
}
