import { ScalarType } from "@bufbuild/protobuf";
import { jsonNumberCharsMax } from "../limits.ts";

/** The whole numbers that a scalar type has. */
export interface IntegerRange {
  readonly min: bigint;
  readonly max: bigint;
}

/** The range of a type of whole numbers; undefined for every other type. */
export function integerRangeOf(type: ScalarType): IntegerRange | undefined {
  return ranges[type];
}

/**
 * The whole number that a text writes, as proto3's JSON mapping takes it quoted and unquoted: a number of JSON whose value is whole, `1e3` and
 * `2.0` included. Undefined for everything else: hexadecimal, a plus sign, leading zeros, spaces, nothing at all.
 */
export function integerOf(text: string): bigint | undefined {
  if (text.length > jsonNumberCharsMax) return undefined;
  const [match, sign, whole = "", fraction = "", exponent = "0"] = jsonNumber.exec(text) ?? [];
  if (match === undefined) return undefined;
  const digits = `${whole}${fraction}`;
  if (/^0+$/.test(digits)) return 0n;
  // Where the last digit stands, counted from the point.
  const shift = Number(exponent) - fraction.length;
  if (Math.abs(shift) > jsonNumberCharsMax) return undefined;
  const dropped = shift < 0 ? digits.slice(shift) : "";
  if (!/^0*$/.test(dropped)) return undefined;
  const magnitude = BigInt(shift < 0 ? digits.slice(0, shift) || "0" : `${digits}${"0".repeat(shift)}`);
  return sign === "-" ? -magnitude : magnitude;
}

/** The whole number that a text writes, where the type has it. */
export function integerIn(range: IntegerRange, text: string): bigint | undefined {
  const value = integerOf(text);
  return value === undefined || value < range.min || value > range.max ? undefined : value;
}

/** What is said of a text that `integerIn` does not take. The text itself is never quoted. */
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
