/** Digits of the minor unit of most currencies. */
const digitsDefault = 2;

/**
 * The currencies whose minor unit has another number of digits, by ISO 4217 list one (published by SIX on 2024-06-25). The contract's rule
 * `currency_code` has the codes of all.
 */
const digitsOther: readonly (readonly [digits: number, codes: string])[] = [
  [0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
  [3, "BHD IQD JOD KWD LYD OMR TND"],
  [4, "CLF UYW"],
];

const digitsByCode: ReadonlyMap<string, number> = new Map(
  digitsOther.flatMap(([digits, codes]) => codes.split(" ").map((code) => [code, digits] as const)),
);

/** How many digits after the point amounts of a currency have: its exponent by ISO 4217. */
export function minorDigitsOf(currencyCode: string): number {
  return digitsByCode.get(currencyCode) ?? digitsDefault;
}
