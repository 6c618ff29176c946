import { ScalarType } from "@bufbuild/protobuf";
import { jsonNumberCharsMax } from "../limits.ts";

/** The integers of a scalar type. */
export interface IntegerRange {
  readonly min: bigint;
  readonly max: bigint;
}

/** Returns the range of an integer type; undefined for every other type. */
export function integerRangeOf(type: ScalarType): IntegerRange | undefined {
  return ranges[type];
}

/**
 * Parses an integer, as proto3's JSON mapping accepts it quoted and unquoted: a JSON number with an integral value,
 * also `1e3` and `2.0`. Returns undefined for everything else: hexadecimal, a plus sign, leading zeros, spaces, empty
 * text.
 */
export function integerOf(text: string): bigint | undefined {
  if (text.length > jsonNumberCharsMax) return undefined;
  const [match, sign, whole = "", fraction = "", exponent = "0"] = jsonNumber.exec(text) ?? [];
  if (match === undefined) return undefined;
  const digits = `${whole}${fraction}`;
  if (/^0+$/.test(digits)) return 0n;
  // The position of the last digit, counted from the decimal point.
  const shift = Number(exponent) - fraction.length;
  if (Math.abs(shift) > jsonNumberCharsMax) return undefined;
  const dropped = shift < 0 ? digits.slice(shift) : "";
  if (!/^0*$/.test(dropped)) return undefined;
  const magnitude = BigInt(shift < 0 ? digits.slice(0, shift) || "0" : `${digits}${"0".repeat(shift)}`);
  return sign === "-" ? -magnitude : magnitude;
}

/** Parses an integer of a range; undefined where the text is none. */
export function integerIn(range: IntegerRange, text: string): bigint | undefined {
  const value = integerOf(text);
  return value === undefined || value < range.min || value > range.max ? undefined : value;
}

/** Returns the rule that a text breaks for which `integerIn` returns undefined. It does not quote the text. */
export function integerRule({ min, max }: IntegerRange): string {
  return `must be a whole number from ${min} to ${max}`;
}

/** RFC 8259, section 6. */
const jsonNumber = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,6}))?$/;

const int32: IntegerRange = { min: -(2n ** 31n), max: 2n ** 31n - 1n };
const int64: IntegerRange = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const uint32: IntegerRange = { min: 0n, max: 2n ** 32n - 1n };
const uint64: IntegerRange = { min: 0n, max: 2n ** 64n - 1n };

const ranges: Readonly<Partial<Record<ScalarType, IntegerRange>>> = {
  [ScalarType.INT32]: int32,
  [ScalarType.SINT32]: int32,
  [ScalarType.SFIXED32]: int32,
  [ScalarType.UINT32]: uint32,
  [ScalarType.FIXED32]: uint32,
  [ScalarType.INT64]: int64,
  [ScalarType.SINT64]: int64,
  [ScalarType.SFIXED64]: int64,
  [ScalarType.UINT64]: uint64,
  [ScalarType.FIXED64]: uint64,
};
