import type { Money } from "@rialto/contracts";

/** The language that the shop writes in. */
const locale = "en";

/** An amount as people write it: as many digits after the point as the currency has, 1250 as "€12.50" and "¥1,250". Exact. */
export function priceOf({ currencyCode, minorUnits }: Pick<Money, "currencyCode" | "minorUnits">): string {
  const format = new Intl.NumberFormat(locale, { style: "currency", currency: currencyCode });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 0;
  const text = (minorUnits < 0n ? -minorUnits : minorUnits).toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  const decimal = `${minorUnits < 0n ? "-" : ""}${whole}${digits === 0 ? "" : `.${text.slice(-digits)}`}`;
  // Given as text the number is formatted as it stands; given as a number it would be rounded. The pattern above makes it one.
  return format.format(decimal as Intl.StringNumericLiteral);
}
