import type { Money } from "@rialto/contracts";

/** The language of the shop. */
const locale = "en";

/**
 * Formats an amount with as many decimal digits as ISO 4217 gives the currency: 1250 is "€12.50" or "¥1,250". Exact.
 * The number of digits is passed to Intl because its own data is CLDR's, which follows cash use and formats 12.50 HUF
 * as 1,250.
 */
export function priceOf({ currencyCode, minorUnits }: Pick<Money, "currencyCode" | "minorUnits">): string {
  const digits = minorDigitsOf(currencyCode);
  const exact = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const format = new Intl.NumberFormat(locale, { style: "currency", currency: currencyCode, ...exact });
  const text = (minorUnits < 0n ? -minorUnits : minorUnits).toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  const decimal = `${minorUnits < 0n ? "-" : ""}${whole}${digits === 0 ? "" : `.${text.slice(-digits)}`}`;
  // Intl formats a numeric string exactly, but rounds a number. The code above builds a numeric string.
  return format.format(decimal as Intl.StringNumericLiteral);
}

/** The number of decimal digits of most currencies. */
const digitsDefault = 2;

/**
 * Currencies with another number of decimal digits, by ISO 4217 list one (published by SIX on 2024-06-25). The
 * contract's rule `currency_code` has all codes.
 */
const digitsOther: readonly (readonly [digits: number, codes: string])[] = [
  [0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
  [3, "BHD IQD JOD KWD LYD OMR TND"],
  [4, "CLF UYW"],
];

const digitsByCode: ReadonlyMap<string, number> = new Map(
  digitsOther.flatMap(([digits, codes]) => codes.split(" ").map((code) => [code, digits] as const)),
);

/** Returns the number of decimal digits of a currency: its ISO 4217 exponent. */
function minorDigitsOf(currencyCode: string): number {
  return digitsByCode.get(currencyCode) ?? digitsDefault;
}
