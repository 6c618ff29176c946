import type { DescMessage } from "@bufbuild/protobuf";

/** Returns `make` with a memory: what it makes of a type of message is made once. */
export function oncePerType<T extends object>(make: (schema: DescMessage) => T): (schema: DescMessage) => T {
  // As protobuf and the validator keep what they make of a type.
  const made = new WeakMap<DescMessage, T>();
  return (schema) => {
    let known = made.get(schema);
    if (known === undefined) {
      known = make(schema);
      made.set(schema, known);
    }
    return known;
  };
}
