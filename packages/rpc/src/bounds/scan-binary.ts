import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { oncePerType } from "./once-per-type.ts";
import type { RequestSize } from "./request-size.ts";
import { countWithin, type Scan, type ScanCount, ScanStopped, scanned } from "./scan.ts";

/**
 * Scans the bytes of a message without decoding it: counts fields, packed items, map entries and unknown fields, visits
 * messages and groups, and stops at the limits of the request. It is stricter than a decoder, so that no decoder finds
 * more in the bytes than was counted: a field with another wire type than the contract's is refused, as is a length
 * that exceeds its message.
 */
export function scanBinary(schema: DescMessage, bytes: Uint8Array, size: RequestSize): Scan {
  const count = countWithin(size);
  return scanned(count, () => void visitMessage({ bytes, at: 0, end: bytes.length, count }, schema, 1));
}

const numberedFields = oncePerType((schema) => new Map(schema.fields.map((field) => [field.number, field])));

interface Visit {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  readonly count: ScanCount;
}

/** Visits fields until the end of the message, or of their group. */
function visitMessage(visit: Visit, schema: DescMessage | undefined, depth: number, group?: number): void {
  visit.count.enter(depth);
  while (visit.at < visit.end) {
    const tag = varint32(visit);
    const number = tag >>> 3;
    const wireType = tag & 7;
    if (wireType === WireType.EndGroup && number === group) return;
    if (number === 0) throw unreadable(visit);
    visit.count.field();
    const field = schema === undefined ? undefined : numberedFields(schema).get(number);
    if (field === undefined) skip(visit, wireType, number, depth);
    else visitField(visit, field, wireType, depth);
  }
  if (group !== undefined) throw unreadable(visit);
}

function visitField(visit: Visit, field: DescField, wireType: number, depth: number): void {
  if (field.fieldKind === "map") {
    requireWireType(field, wireType, WireType.LengthDelimited);
    const outer = enter(visit);
    visitEntry(visit, field, depth + 1);
    visit.end = outer;
  } else if (field.message !== undefined) {
    requireWireType(field, wireType, field.delimitedEncoding ? WireType.StartGroup : WireType.LengthDelimited);
    if (field.delimitedEncoding) visitMessage(visit, field.message, depth + 1, field.number);
    else {
      const outer = enter(visit);
      visitMessage(visit, field.message, depth + 1);
      visit.end = outer;
    }
  } else {
    const own = wireTypeOf(field.scalar ?? ScalarType.INT32);
    if (field.fieldKind === "list" && wireType === WireType.LengthDelimited && own !== WireType.LengthDelimited) {
      const outer = enter(visit);
      while (visit.at < visit.end) {
        visit.count.field();
        skip(visit, own, field.number, depth);
      }
      visit.end = outer;
    } else {
      requireWireType(field, wireType, own);
      skip(visit, wireType, field.number, depth);
    }
  }
}

/** An entry of a map is a message of two fields. */
function visitEntry(visit: Visit, field: DescField & { fieldKind: "map" }, depth: number): void {
  visit.count.enter(depth);
  while (visit.at < visit.end) {
    const tag = varint32(visit);
    const number = tag >>> 3;
    const wireType = tag & 7;
    if (number === 0) throw unreadable(visit);
    visit.count.field();
    const { message } = field;
    if (number === 2 && message !== undefined) {
      requireWireType(field, wireType, WireType.LengthDelimited);
      const outer = enter(visit);
      visitMessage(visit, message, depth + 1);
      visit.end = outer;
      continue;
    }
    if (number === 1) requireWireType(field, wireType, wireTypeOf(field.mapKey));
    if (number === 2) requireWireType(field, wireType, wireTypeOf(field.scalar ?? ScalarType.INT32));
    skip(visit, wireType, number, depth);
  }
}

/** Reads a length, and ends the visit after so many bytes. Returns where it ended before. */
function enter(visit: Visit): number {
  const length = varint32(visit);
  const outer = visit.end;
  if (visit.at + length > outer) throw unreadable(visit);
  visit.end = visit.at + length;
  return outer;
}

function skip(visit: Visit, wireType: number, number: number, depth: number): void {
  if (wireType === WireType.Varint) skipVarint(visit);
  else if (wireType === WireType.Bit64) skipBytes(visit, 8);
  else if (wireType === WireType.LengthDelimited) skipBytes(visit, varint32(visit));
  else if (wireType === WireType.StartGroup) visitMessage(visit, undefined, depth + 1, number);
  else if (wireType === WireType.Bit32) skipBytes(visit, 4);
  else throw unreadable(visit);
}

function skipBytes(visit: Visit, length: number): void {
  if (visit.at + length > visit.end) throw unreadable(visit);
  visit.at += length;
}

/** A varint has ten bytes at most. */
function skipVarint(visit: Visit): void {
  for (let read = 0; read < 10 && visit.at < visit.end; read += 1) {
    const byte = visit.bytes[visit.at++] ?? 0;
    if (byte < 0x80) return;
  }
  throw unreadable(visit);
}

/** Reads a tag or a length: 32 bits, in five bytes at most. */
function varint32(visit: Visit): number {
  const first = visit.bytes[visit.at];
  if (visit.at < visit.end && first !== undefined && first < 0x80) {
    visit.at += 1;
    return first;
  }
  let value = 0;
  for (let shift = 0; shift < 35 && visit.at < visit.end; shift += 7) {
    const byte = visit.bytes[visit.at++] ?? 0;
    if (shift === 28 && byte > 0x0f) break;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
  throw unreadable(visit);
}

function wireTypeOf(scalar: ScalarType): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}

function requireWireType(field: DescField, given: number, own: WireType): void {
  if (given === own) return;
  const description = `has wire type ${given}, where the contract's is ${own}`;
  throw new ScanStopped({ field: field.name, description, rule: "request.wire_type" });
}

function unreadable({ at }: Visit): ScanStopped {
  return new ScanStopped({
    field: "",
    description: `is no message in protobuf's binary format, at byte ${at}`,
    rule: "request.binary",
  });
}
