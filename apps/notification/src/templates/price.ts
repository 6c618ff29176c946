import type { Money } from "@rialto/contracts";
import { minorDigitsOf } from "./currency.ts";

/** The language that the shop writes in. */
const locale = "en";

/**
 * An amount as people write it: as many digits after the point as ISO 4217 gives the currency, 1250 as "€12.50" and "¥1,250". Exact. Intl is told how
 * many: its own figures are CLDR's, which follow what is paid in cash, and show 12.50 HUF as 1,250.
 */
export function priceOf({ currencyCode, minorUnits }: Pick<Money, "currencyCode" | "minorUnits">): string {
  const digits = minorDigitsOf(currencyCode);
  const exact = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const format = new Intl.NumberFormat(locale, { style: "currency", currency: currencyCode, ...exact });
  const text = (minorUnits < 0n ? -minorUnits : minorUnits).toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  const decimal = `${minorUnits < 0n ? "-" : ""}${whole}${digits === 0 ? "" : `.${text.slice(-digits)}`}`;
  // Given as text the number is formatted as it stands; given as a number it would be rounded. The pattern above makes it one.
  return format.format(decimal as Intl.StringNumericLiteral);
}
