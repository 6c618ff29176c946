import type { Money } from "@rialto/contracts";

/** The language of the shop. */
const locale = "en";

/** Formats an amount for people. */
export type PriceFormat = (amount: Pick<Money, "currencyCode" | "minorUnits">) => string;

/** ISO 4217 has about 180 codes. Beyond these a currency's format is made anew each time. */
const currenciesMax = 200;

/**
 * Returns a function that formats an amount with as many decimal digits as ISO 4217 gives the currency: 1250 is
 * "€12.50" or "¥1,250". Exact. Intl takes about a hundred times as long to make a format as to use it, so each currency
 * has one that is kept.
 *
 * The number of digits is passed to Intl because its own data is CLDR's, which follows cash use and formats 12.50 HUF
 * as 1,250.
 */
export function createPriceFormat(): PriceFormat {
  const formats = new Map<string, Intl.NumberFormat>();
  const formatOf = (currency: string, digits: number): Intl.NumberFormat => {
    const known = formats.get(currency);
    if (known !== undefined) return known;
    const exact = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    const made = new Intl.NumberFormat(locale, { style: "currency", currency, ...exact });
    if (formats.size < currenciesMax) formats.set(currency, made);
    return made;
  };
  return ({ currencyCode, minorUnits }) => {
    const digits = minorDigitsOf(currencyCode);
    const text = (minorUnits < 0n ? -minorUnits : minorUnits).toString().padStart(digits + 1, "0");
    const whole = text.slice(0, text.length - digits);
    const decimal = `${minorUnits < 0n ? "-" : ""}${whole}${digits === 0 ? "" : `.${text.slice(-digits)}`}`;
    // Intl formats a numeric string exactly, but rounds a number. The code above builds a numeric string.
    return formatOf(currencyCode, digits).format(decimal as Intl.StringNumericLiteral);
  };
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
