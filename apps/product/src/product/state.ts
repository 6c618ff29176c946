import type { Caller } from "@rialto/rpc";

/** A product of the catalog. The price is in minor units of the currency. */
export interface Product {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly price: bigint;
  readonly currency: string;
  readonly active: boolean;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** New values for a product. Undefined fields stay unchanged. */
export type ProductChange = {
  readonly [K in "name" | "description" | "category" | "price" | "currency" | "active"]: Product[K] | undefined;
};

/** Returns the product after a change. */
export function changeProduct(product: Product, change: ProductChange, at: Date): Product {
  return {
    ...product,
    name: change.name ?? product.name,
    description: change.description ?? product.description,
    category: change.category ?? product.category,
    price: change.price ?? product.price,
    currency: change.currency ?? product.currency,
    active: change.active ?? product.active,
    updateTime: at,
  };
}

/** Whether a caller can see a product. For customers, inactive products do not exist. */
export function isVisible(product: Product, caller: Caller): boolean {
  return product.active || canSeeInactive(caller);
}

/** Services see inactive products, because the order service reports why a product cannot be ordered. */
export function canSeeInactive(caller: Caller): boolean {
  return caller.kind === "service" || (caller.kind === "user" && caller.role === "ADMIN");
}

/**
 * The text that queries search. Case is folded here, because Postgres folds it by the locale of the database, and in
 * some locales only for ASCII.
 */
export function searchTextOf({ name, description }: Pick<Product, "name" | "description">): string {
  return folded(`${name}\n${description}`);
}

/** Each word costs as much as a separate search. */
export const searchWordsMax = 8;
/** The index contains trigrams, so a shorter word is only found at the beginning of a word. */
const containedLettersMin = 3;

/**
 * The characters before a word, for a bracket expression. Uses ranges, because Postgres does not use its index for
 * classes such as `\s`.
 */
const signsBeforeWords = " \n!-/:-@\\[-`{-~";

/** One word of a query: a LIKE pattern of text to contain, or a regular expression for the beginning of a word. */
export interface SearchWord {
  readonly kind: "contains" | "begins";
  readonly pattern: string;
}

/**
 * Splits a query into words. A word matches anywhere in the text, and one of fewer than three letters at the beginning
 * of a word. Pattern characters match themselves. Returns undefined if there are too many words.
 */
export function searchWordsOf(query: string): readonly SearchWord[] | undefined {
  const words = folded(query)
    .split(/\s+/)
    .filter((word) => word !== "");
  return words.length > searchWordsMax ? undefined : words.map(searchWordOf);
}

function searchWordOf(word: string): SearchWord {
  // A punctuation character begins no word.
  const isShort = [...word].length < containedLettersMin && /^[\p{L}\p{N}]+$/u.test(word);
  if (isShort) return { kind: "begins", pattern: `(^|[${signsBeforeWords}])${word}` };
  return { kind: "contains", pattern: `%${word.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`)}%` };
}

/** Folds spellings that people read as the same: composed or decomposed, full or half width, upper or lower case. */
function folded(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}
