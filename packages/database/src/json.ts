/** What JSON can say, and so what a jsonb column holds. int64 travels in it as a string. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };
