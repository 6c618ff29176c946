import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A message that a method should refuse or bear, whichever it is, with little work. */
export interface HostileRequest {
  /** What is wrong with it, and where: "items[].quantity: 900,000 digits". */
  readonly name: string;
  readonly format: "json" | "proto";
  readonly bytes: Uint8Array;
}

/** A little less than the bytes that a request may have, so that it is its fields that are looked at. */
const fillBytes = 120_000;

/**
 * Messages that are meant to hurt: for the message as a whole, and for every field of it and of the messages inside it.
 */
export function* hostileRequests(schema: DescMessage): Generator<HostileRequest> {
  yield* wholeJson();
  yield* wholeBinary();
  for (const place of placesOf(schema, [])) {
    for (const [what, value] of jsonValues(place.field)) {
      yield { name: `${place.name}: ${what}`, format: "json", bytes: Buffer.from(jsonAt(place.path, value)) };
    }
    for (const [what, bytes] of binaryValues(place.field)) {
      yield { name: `${place.name}: ${what}`, format: "proto", bytes: binaryAt(place.path, bytes) };
    }
  }
}

function* wholeJson(): Generator<HostileRequest> {
  const texts: [string, string][] = [
    ["lists in each other", "[".repeat(fillBytes)],
    ["objects in each other", '{"a":'.repeat(fillBytes / 5)],
    ["objects in each other, closed", `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`],
    ["names that there are not", `{${Array.from({ length: 9_000 }, (_, at) => `"name${at}":1`)}}`],
    ["900 names that there are not", `{${Array.from({ length: 900 }, (_, at) => `"name${at}":1`)}}`],
    ["one name again and again", `{${Array.from({ length: 20_000 }, () => '"id":1')}}`],
    ["a name of 120,000 characters", `{"${"n".repeat(fillBytes)}":1}`],
    ["a name that is escaped", `{"${"\\u0061".repeat(fillBytes / 6)}":1}`],
    ["nothing but spaces", " ".repeat(fillBytes)],
    ["a number of 120,000 digits", "9".repeat(fillBytes)],
    ["__proto__ and constructor", '{"__proto__":{"id":"1"},"constructor":{"prototype":{}}}'],
    ["cut off", '{"id":"0197'],
    ["3 MB", `{"id":"${"x".repeat(900_000)}"}`],
  ];
  for (const [name, text] of texts) yield { name, format: "json", bytes: Buffer.from(text) };
}

function* wholeBinary(): Generator<HostileRequest> {
  const repeated = (count: number, write: (writer: BinaryWriter) => void) => {
    const writer = new BinaryWriter();
    for (let at = 0; at < count; at += 1) write(writer);
    return writer.finish();
  };
  const messages: [string, Uint8Array][] = [
    ["groups in each other", repeated(fillBytes / 2, (writer) => writer.tag(900, WireType.StartGroup))],
    ["unknown fields", repeated(30_000, (writer) => writer.tag(900, WireType.Varint).uint32(1))],
    [
      "900 unknown fields",
      repeated(900, (writer) => writer.tag(900, WireType.LengthDelimited).string("x".repeat(100))),
    ],
    ["empty unknown messages", repeated(40_000, (writer) => writer.tag(900, WireType.LengthDelimited).uint32(0))],
    ["noise", new Uint8Array(fillBytes).fill(0xff)],
    ["a length of 4 GB", new Uint8Array([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])],
    ["cut off", new Uint8Array([0x0a, 0x20, 0x61])],
    ["900 kB", new Uint8Array(900_000).fill(0x0a)],
  ];
  for (const [name, bytes] of messages) yield { name, format: "proto", bytes };
}

interface Place {
  readonly name: string;
  /** The fields on the way to the place, and its own. */
  readonly path: readonly DescField[];
  readonly field: DescField;
}

function* placesOf(schema: DescMessage, path: readonly DescField[]): Generator<Place> {
  if (path.length > 4) return;
  for (const field of schema.fields) {
    const here = [...path, field];
    yield {
      name: here.map(({ name, fieldKind }) => (fieldKind === "list" ? `${name}[]` : name)).join("."),
      path: here,
      field,
    };
    if (field.message !== undefined && !field.message.typeName.startsWith("google.protobuf."))
      yield* placesOf(field.message, here);
  }
}

/** Values of a field in JSON, by what is wrong with them. */
function* jsonValues(field: DescField): Generator<[string, string]> {
  const list = (item: string, count: number) => `[${Array.from({ length: count }, () => item)}]`;
  const text = (length: number) => JSON.stringify("x".repeat(length));
  const isMask = field.message?.typeName === "google.protobuf.FieldMask";
  yield ["lists in each other", `${"[".repeat(10_000)}${"]".repeat(10_000)}`];
  yield ["a text of 120,000 characters", text(fillBytes - 1_000)];
  yield ["a text of quotation marks", `"${'\\"'.repeat(5_000)}"`];
  yield ["a number of 100,000 digits", "9".repeat(100_000)];
  if (field.fieldKind === "list") {
    const item = field.listKind === "message" ? "{}" : field.listKind === "enum" ? "0" : '""';
    yield ["40,000 items", list(item, 40_000)];
    yield ["900 items", list(item, 900)];
    yield ["one item more than usual", list(item, 51)];
    yield ["900 texts of 100 characters", list(text(100), 900)];
  }
  if (field.fieldKind === "map")
    yield ["20,000 entries", `{${Array.from({ length: 12_000 }, (_, at) => `"${at}":""`)}}`];
  if (isMask) {
    yield ["500 paths", JSON.stringify(Array.from({ length: 500 }, () => "name").join(","))];
    yield ["a path of 100,000 characters", text(100_000)];
    yield ["a path below a field", '"price.minorUnits"'];
    yield ["everything", '"*"'];
  }
  if (field.scalar !== undefined && isNumber(field.scalar)) {
    for (const number of [
      '"0x10"',
      '" 1"',
      '"+1"',
      "1e400000",
      '"1e400000"',
      '""',
      "-0",
      "9007199254740993",
      '"9223372036854775808"',
    ])
      yield [number, number];
    yield ["900,000 digits in a text", text(0).replace('""', `"${"9".repeat(100_000)}"`)];
  }
}

/** Values of a field in binary, with their lengths where they have one. */
function* binaryValues(field: DescField): Generator<[string, Uint8Array]> {
  const tagged = (count: number, content: Uint8Array) => {
    const writer = new BinaryWriter();
    for (let at = 0; at < count; at += 1) writer.tag(field.number, WireType.LengthDelimited).bytes(content);
    return writer.finish();
  };
  const isLong = field.message !== undefined || field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
  if (isLong || field.fieldKind === "list") {
    yield ["given 40,000 times", tagged(40_000, new Uint8Array())];
    yield ["given 900 times", tagged(900, new Uint8Array())];
    yield ["of 120,000 bytes", tagged(1, new Uint8Array(fillBytes - 1_000).fill(0x78))];
    yield ["no UTF-8", tagged(1, new Uint8Array([0xff, 0xfe]))];
  } else {
    yield ["of another wire type", tagged(1, new Uint8Array(100))];
    const writer = new BinaryWriter();
    for (let at = 0; at < 30_000; at += 1) writer.tag(field.number, WireType.Varint).uint32(1);
    yield ["given 30,000 times", writer.finish()];
  }
}

function isNumber(scalar: ScalarType): boolean {
  return scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES && scalar !== ScalarType.BOOL;
}

function jsonAt(path: readonly DescField[], value: string): string {
  const [field, ...rest] = path;
  if (field === undefined) return value;
  const inner = jsonAt(rest, value);
  return `{${JSON.stringify(field.jsonName)}:${rest.length > 0 && field.fieldKind === "list" ? `[${inner}]` : inner}}`;
}

/** Bytes of a field, wrapped into the messages on the way to it. */
function binaryAt(path: readonly DescField[], bytes: Uint8Array): Uint8Array {
  return path
    .slice(0, -1)
    .toReversed()
    .reduce(
      (inner, field) => new BinaryWriter().tag(field.number, WireType.LengthDelimited).bytes(inner).finish(),
      bytes,
    );
}
