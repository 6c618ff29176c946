import { type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { type FieldRules, field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** Returns the rules of a field in the contract; undefined where it has none. They are decoded at each call. */
export function rulesOf(field: DescField): FieldRules | undefined {
  return hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
}

/**
 * Plans the walk over messages of a type for one purpose: returns a function that gives the entries of a message's
 * fields which matter to it. They are made once for each type, by `entryOf`, which returns undefined for a field that
 * can be left out; `reaches` tells it whether any field below a message has an entry, so that messages without are not
 * visited at all.
 */
export function planWalk<E>(
  entryOf: (field: DescField, reaches: (below: DescMessage) => boolean) => E | undefined,
): (schema: DescMessage) => readonly E[] {
  // Rules that were looked up once, as the validator keeps them.
  const plans = new WeakMap<DescMessage, readonly E[]>();
  const planning = new Set<DescMessage>();

  function planOf(schema: DescMessage): readonly E[] {
    const known = plans.get(schema);
    if (known !== undefined) return known;
    planning.add(schema);
    const found = schema.fields.flatMap((field) => entryOf(field, reaches) ?? []);
    planning.delete(schema);
    plans.set(schema, found);
    return found;
  }

  /** A message within itself is visited: what is below it is not known yet. */
  function reaches(below: DescMessage): boolean {
    return planning.has(below) || planOf(below).length > 0;
  }

  return planOf;
}
