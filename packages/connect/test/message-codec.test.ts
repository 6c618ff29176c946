import {
  create,
  type DescField,
  type DescMessage,
  type DescMethodUnary,
  type DescService,
  type Message,
  ScalarType,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { createMethodSerializationLookup } from "@connectrpc/connect/protocol";
import * as contracts from "@rialto/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, type CodecOptions, createMethodCodecs } from "../src/codec/message-codec.ts";

const methods = Object.values<unknown>(contracts)
  .filter(isService)
  .flatMap((service) => service.methods)
  .filter((method): method is DescMethodUnary => method.methodKind === "unary");

function isService(one: unknown): one is DescService {
  return typeof one === "object" && one !== null && "kind" in one && one.kind === "service";
}

const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("", "ü", "\ud800", "\ufeff"));
const depthMax = 3;

/** Values of a message, also those that no message may have. */
function messages(desc: DescMessage, depth = 0): fc.Arbitrary<Message> {
  const fields = desc.fields.filter(({ message }) => message === undefined || depth < depthMax);
  const values = Object.fromEntries(fields.map((field) => [nameOf(field), initOf(field, depth)]));
  return fc.record(values, { requiredKeys: [] }).map((init) => create(desc, init));
}

function nameOf({ oneof, localName }: DescField): string {
  return oneof?.localName ?? localName;
}

function initOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.oneof === undefined) return anyOf(field, depth);
  return anyOf(field, depth).map((value) => ({ case: field.localName, value }));
}

function anyOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.fieldKind === "list") return fc.array(singleOf(field, depth), { maxLength: 3 });
  if (field.fieldKind === "map") return fc.dictionary(text, singleOf(field, depth), { maxKeys: 3 });
  return singleOf(field, depth);
}

function singleOf({ message, enum: values, scalar }: DescField, depth: number): fc.Arbitrary<unknown> {
  if (message !== undefined) return messages(message, depth + 1);
  if (values !== undefined) return fc.oneof(fc.constantFrom(...values.values.map((value) => value.number)), fc.nat());
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 20 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return fc.double();
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return fc.bigInt({ min: -3n, max: 2n ** 63n });
    default:
      return fc.oneof(fc.integer(), fc.double());
  }
}

/** What a codec does: what it returns, or the error that it throws. */
function resultOf<T>(step: () => T): { readonly returned: T } | { readonly code: unknown; readonly message: string } {
  try {
    return { returned: step() };
  } catch (error) {
    const { code, message } = ConnectError.from(error);
    return { code, message };
  }
}

const limits = { readMaxBytes: 400, writeMaxBytes: 400 };
const optionsOf = fc.constantFrom<CodecOptions[]>(
  limits,
  { ...limits, jsonOptions: { alwaysEmitImplicit: true } },
  { ...limits, jsonOptions: { ignoreUnknownFields: false, enumAsInteger: true, useProtoFieldName: true } },
);

describe("the codecs of every method of the contract", () => {
  it.each([true, false])("write what the official ones write, binary: %s", (isBinary) => {
    const cases = fc.constantFrom(...methods).chain((method) => fc.tuple(fc.constant(method), messages(method.output)));
    const check = ([method, message]: [DescMethodUnary, Message], o: CodecOptions) => {
      const official = createMethodSerializationLookup(method, undefined, o.jsonOptions, o).getO(isBinary);
      const ours = createMethodCodecs(method, o).output(isBinary);
      const written = resultOf(() => Buffer.from(bytesOf(ours.serialize(message))).toString("hex"));
      expect(written).toEqual(resultOf(() => Buffer.from(official.serialize(message)).toString("hex")));
    };
    fc.assert(fc.property(cases, optionsOf, check), { numRuns: 1_000 });
  });

  it.each([true, false])("read what the official ones read, binary: %s", (isBinary) => {
    const cases = fc
      .constantFrom(...methods)
      .chain((method) => fc.tuple(fc.constant(method), bodies(method, isBinary)));
    const check = ([method, body]: [DescMethodUnary, Uint8Array], o: CodecOptions) => {
      const official = createMethodSerializationLookup(method, undefined, o.jsonOptions, o).getI(isBinary);
      const ours = createMethodCodecs(method, o).input(isBinary);
      expect(resultOf(() => ours.parse(Buffer.from(body)))).toEqual(
        resultOf(() => official.parse(new Uint8Array(body))),
      );
    };
    fc.assert(fc.property(cases, optionsOf, check), { numRuns: 1_000 });
  });
});

/** Bodies that are messages, that were, and that never were. */
function bodies({ input }: DescMethodUnary, isBinary: boolean): fc.Arbitrary<Uint8Array> {
  const whole = messages(input).map((message) => {
    const written = resultOf(() => (isBinary ? toBinary(input, message) : Buffer.from(toJsonString(input, message))));
    return "returned" in written ? written.returned : new Uint8Array();
  });
  const damaged = fc
    .tuple(whole, fc.nat(), fc.oneof(fc.uint8Array({ maxLength: 4 }), fc.constant(Buffer.from(',"id":"2","id":"3"'))))
    .map(([body, at, put]) => {
      const cut = at % (body.byteLength + 1);
      return Buffer.concat([body.subarray(0, cut), put, body.subarray(cut)]);
    });
  const marked = whole.map((body) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]));
  return fc.oneof(
    whole,
    damaged,
    marked,
    fc.json().map((json) => Buffer.from(json)),
    fc.uint8Array(),
  );
}
