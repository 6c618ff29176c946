import { create, type DescField, type DescMessage, type DescOneof, type Message, ScalarType } from "@bufbuild/protobuf";
import type { FieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import fc from "fast-check";
import { rulesOf } from "../src/bounds/field-rules.ts";

/**
 * Messages of a type: mostly with values that its rules take or nearly take, such as a text of the longest length and
 * one character more. `odd` are values that the field's type does not have, as a caller in the same process may give.
 */
export function messageArbitrary(
  schema: DescMessage,
  o: { readonly odd?: boolean; readonly depth?: number } = {},
): fc.Arbitrary<Message> {
  const depth = o.depth ?? 3;
  const members = Object.fromEntries(
    schema.members.map((member) => [
      member.localName,
      member.kind === "oneof" ? oneofArbitrary(member, o, depth) : fieldArbitrary(member, o, depth),
    ]),
  );
  return fc.record(members).map((fields) => {
    const message = create(schema);
    for (const [name, value] of Object.entries(fields)) if (value !== unset) Reflect.set(message, name, value);
    return message;
  });
}

type Options = { readonly odd?: boolean };

/** The field stays as it is in a new message. */
const unset = Symbol("unset");

function oneofArbitrary(oneof: DescOneof, o: Options, depth: number): fc.Arbitrary<unknown> {
  const chosen = oneof.fields.map((field) =>
    oneArbitrary(field, rulesOf(field), o, depth).map((value) => ({ case: field.localName, value })),
  );
  return fc.oneof(fc.constant(unset), ...chosen);
}

function fieldArbitrary(field: DescField, o: Options, depth: number): fc.Arbitrary<unknown> {
  const rules = rulesOf(field);
  if (field.fieldKind === "list") {
    const own = rules?.type.case === "repeated" ? rules.type.value : undefined;
    const item = oneArbitrary(field, own?.items, o, depth);
    const [min, max] = [
      Number(own?.minItems ?? 0n),
      Math.max(Number(own?.maxItems || 3n), Number(own?.minItems ?? 0n)),
    ];
    return weighted(fc.array(item, { minLength: min, maxLength: Math.min(max, min + 3) }), [
      fc.constant<unknown[]>([]),
      fc.array(item, { minLength: Math.max(min - 1, 0), maxLength: Math.max(min - 1, 0) }),
      item.chain((one) => fc.constantFrom(...[min, min + 1, max, max + 1].map((size) => Array(size).fill(one)))),
    ]);
  }
  if (field.fieldKind === "map") {
    const own = rules?.type.case === "map" ? rules.type.value : undefined;
    const max = Number(own?.maxPairs || 2n) + 1;
    const keys = field.mapKey === ScalarType.STRING ? textArbitrary(own?.keys) : fc.constantFrom("1", "2", "3");
    return fc.dictionary(keys, oneArbitrary(field, own?.values, o, depth), { maxKeys: max });
  }
  return fc.oneof(
    { weight: 8, arbitrary: oneArbitrary(field, rules, o, depth) },
    { weight: 1, arbitrary: fc.constant(unset) },
  );
}

function oneArbitrary(
  field: DescField,
  rules: FieldRules | undefined,
  o: Options,
  depth: number,
): fc.Arbitrary<unknown> {
  const value = typedArbitrary(field, rules, o, depth);
  if (o.odd !== true) return value;
  const odd = [undefined, null, "", "1", 1, 1n, true, {}, [], new Uint8Array(1), create(schemaOf(field))];
  return weighted(value, [fc.constantFrom<unknown>(...odd)], 20);
}

/** Of another type than the field's messages. */
function schemaOf(field: DescField): DescMessage {
  return field.parent;
}

function typedArbitrary(
  field: DescField,
  rules: FieldRules | undefined,
  o: Options,
  depth: number,
): fc.Arbitrary<unknown> {
  const { message } = field;
  if (field.enum !== undefined) {
    const known = field.enum.values.map(({ number }) => number);
    return weighted(fc.constantFrom(...known), [fc.constantFrom(-1, 99, Math.max(...known) + 1)]);
  }
  if (message?.typeName === "google.protobuf.FieldMask") {
    const among = rules?.type.case === "fieldMask" ? rules.type.value.in : [];
    const path = weighted(fc.constantFrom(...among, "name"), [fc.constantFrom("", "name.first", "\0", "\ud800")]);
    return fc
      .oneof(
        fc.array(path, { maxLength: 4 }),
        path.map((one) => Array(65).fill(one)),
      )
      .map((paths) => ({ $typeName: message.typeName, paths }));
  }
  if (message !== undefined)
    return depth === 0 ? fc.constant(create(message)) : messageArbitrary(message, { ...o, depth: depth - 1 });
  switch (field.scalar) {
    case ScalarType.STRING:
      return textArbitrary(rules);
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 20 });
    case ScalarType.BOOL:
      return fc.boolean();
    default:
      return numberArbitrary(field.scalar ?? ScalarType.INT32, rules);
  }
}

function textArbitrary(rules: FieldRules | undefined): fc.Arbitrary<string> {
  const own = rules?.type.case === "string" ? rules.type.value : undefined;
  const sizes = [own?.minLen, own?.maxLen, own?.len, own?.maxBytes].map(Number).filter((size) => size > 0);
  const edges = sizes.flatMap((size) => [size - 1, size, size + 1]);
  const id = fc.uuid();
  const plain = [
    ...(own?.in ?? []),
    ...["Ada", "EUR", "DE", "order-mail", "order.created", "order.*", "ada@example.com", "pre-suf", "", "a"],
    ...edges.map((size) => "a".repeat(size)),
    // A character of two units.
    ...edges.map((size) => "𝒳".repeat(size)),
    ...edges.map((size) => "é".repeat(size)),
  ];
  const nasty = [
    ...["\0", "a\0b", "\ud800", "a\udc00", "𝒳\ud835", "\n", "\u202e", "\u2028", "\t", "EUR\n", "eur", "ZZZ", "XXX"],
    ...[
      "no id",
      "0197f000-0000-7000-8000-0000000000f0\n",
      "0197F000-0000-7000-8000-0000000000FG",
      "a@b@c",
      "@",
      "a@-b.c",
    ],
    ...["__proto__", "order.", "Order-mail"],
  ];
  const isUuid = own?.wellKnown.case === "uuid";
  const fits = (text: string) =>
    (own?.wellKnown.case !== "email" || text.includes("@")) &&
    new RegExp(own?.pattern ?? "", "u").test(text) &&
    text.length >= Number(own?.minLen ?? 0n) &&
    text.length <= Number(own?.maxLen || 1_000n);
  const fitting = isUuid
    ? fc.oneof(
        id,
        id.map((text) => text.toUpperCase()),
      )
    : fc.constantFrom("Ada", ...plain.filter(fits));
  const others = [fc.constantFrom(...nasty, ...plain), fc.string({ unit: "binary", maxLength: 6 }), id];
  return weighted(fitting, others, 50);
}

function numberArbitrary(scalar: ScalarType, rules: FieldRules | undefined): fc.Arbitrary<unknown> {
  const bounds = ["greaterThan", "lessThan"].map((name) => partOf(partOf(rules?.type.value, name), "value"));
  const named = ["in", "notIn"].flatMap((name) => partOf(rules?.type.value, name) ?? []);
  const numbers = [...bounds, ...named].filter((one) => one !== undefined).map(Number);
  const [from = 0, to = from + 1_000] = bounds.map((one) => (one === undefined ? undefined : Number(one)));
  const fitting = [from, from + 1, to - 1, to];
  const others = [...numbers.flatMap((one) => [one - 1, one, one + 1]), 0, 1, -1, 1_000_000_000, 1_000_000_001];
  if (ScalarType[scalar].endsWith("64"))
    return weighted(fc.constantFrom(...fitting.map(BigInt)), [
      fc.constantFrom(...others.map(BigInt), 2n ** 63n - 1n, -(2n ** 63n)),
    ]);
  const isFloat = scalar === ScalarType.FLOAT || scalar === ScalarType.DOUBLE;
  const edges = isFloat ? [0.5, Number.NaN, Infinity, -Infinity] : [];
  return weighted(fc.constantFrom(...fitting), [fc.constantFrom(...others, -0, ...edges)]);
}

/** A part of the rules of some type of number: they have the same ones. */
function partOf(rules: unknown, name: string): unknown {
  return typeof rules === "object" && rules !== null ? Reflect.get(rules, name) : undefined;
}

/** Mostly the first. */
function weighted<T>(usual: fc.Arbitrary<T>, others: readonly fc.Arbitrary<T>[], weight = 20): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: usual }, ...others.map((arbitrary) => ({ weight: 1, arbitrary })));
}
