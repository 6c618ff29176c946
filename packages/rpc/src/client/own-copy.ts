import {
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  type JsonObject,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc, FeatureSet_FieldPresence as Presence } from "@bufbuild/protobuf/wkt";

/** The fields of a message, or of what one is made of. */
type Fields = Record<string, unknown>;
type Copy = (value: unknown) => unknown;

// The copiers of each type of message, made once, as the library keeps its own.
const copiers = new WeakMap<DescMessage, (source: Fields) => Message>();

/**
 * Returns a message of its own, from a message or from what one is made of: it shares nothing with its source, down to
 * lists, maps and bytes. It is made in one pass, and checks no values: what a message may not hold is refused where it
 * is encoded, and in tests by `assertUnchanged`.
 */
export function ownCopy(schema: DescMessage, source: Fields): Message {
  let copier = copiers.get(schema);
  if (copier === undefined) {
    copier = createCopier(schema);
    copiers.set(schema, copier);
  }
  return copier(source);
}

function createCopier(schema: DescMessage): (source: Fields) => Message {
  const empty = create(schema);
  // A copy of the whole is quicker than field by field. One of proto2 has a prototype, which would not be copied.
  const isPlain = Object.getPrototypeOf(empty) === Object.prototype;
  const members = schema.members.map((member) => ({
    name: member.localName,
    copy: member.kind === "oneof" ? copyOfOneof(member) : copyOfField(member),
    emptyOf: emptyOf(member),
  }));
  return (source) => {
    const message = isPlain ? { ...empty } : create(schema);
    // A message is an object of its fields.
    const fields = message as unknown as Fields;
    for (const { name, copy, emptyOf } of members) {
      const value = source[name];
      if (value !== undefined && value !== null) fields[name] = copy === undefined ? value : copy(value);
      else if (emptyOf !== undefined) fields[name] = emptyOf();
    }
    const unknown = (source as Partial<Message>).$unknown;
    if (unknown !== undefined) message.$unknown = [...unknown];
    return message;
  };
}

/** What a field that is not set has for each message anew, as it can be changed; undefined where it cannot. */
function emptyOf(member: DescField | DescOneof): (() => unknown) | undefined {
  if (member.kind === "oneof") return () => ({ case: undefined });
  switch (member.fieldKind) {
    case "list":
      return () => [];
    case "map":
      return () => ({});
    default:
      return member.scalar === ScalarType.BYTES && member.presence === Presence.IMPLICIT
        ? () => new Uint8Array()
        : undefined;
  }
}

/** Returns how the values of a field are copied; undefined where they cannot be changed. */
function copyOfField(field: DescField): Copy | undefined {
  const copyOne = copyOfOne(field);
  switch (field.fieldKind) {
    case "list":
      return (value) => {
        const items = value as readonly unknown[]; // the value of a list
        return copyOne === undefined ? [...items] : items.map(copyOne);
      };
    case "map":
      return (value) => {
        const entries = Object.entries(value as Fields); // the value of a map
        return Object.fromEntries(entries.map(([key, one]) => [key, copyOne === undefined ? one : copyOne(one)]));
      };
    default:
      return copyOne;
  }
}

function copyOfOne(field: DescField): Copy | undefined {
  const { message } = field;
  if (message === undefined) return field.scalar === ScalarType.BYTES ? copyBytes : undefined;
  if (field.fieldKind === "message" && field.oneof === undefined && isWrapperDesc(message)) {
    return message.fields[0].scalar === ScalarType.BYTES ? copyBytes : undefined;
  }
  if (message.typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value") {
    return (value) => structuredClone(value as JsonObject);
  }
  return (value) => ownCopy(message, value as Fields); // the value of a message field
}

function copyOfOneof(oneof: DescOneof): Copy {
  const copies = new Map(oneof.fields.map((field) => [field.localName, copyOfField(field)]));
  return (value) => {
    const { case: name, value: chosen } = value as { readonly case?: string; readonly value?: unknown };
    const copy = name === undefined ? undefined : copies.get(name);
    return name === undefined ? { case: undefined } : { case: name, value: copy === undefined ? chosen : copy(chosen) };
  };
}

/** Bytes may be made of an array too. */
function copyBytes(value: unknown): Uint8Array {
  return Uint8Array.from(value as Uint8Array);
}
