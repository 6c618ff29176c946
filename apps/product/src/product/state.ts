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

/** New values for a product; what is undefined stays. */
export type ProductChange = {
  readonly [K in "name" | "description" | "category" | "price" | "currency" | "active"]: Product[K] | undefined;
};

/** The product after the change. */
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

/**
 * The text that queries look in. Case is folded here and not by Postgres, which folds by the locale that its database was made with:
 * in some of them no letter but those of ASCII.
 */
export function searchTextOf({ name, description }: Pick<Product, "name" | "description">): string {
  return folded(`${name}\n${description}`);
}

/** More words than anybody types cost as much as so many searches. */
export const searchWordsMax = 8;
/** The index knows pieces of three letters: a shorter word is in no piece but at the beginning of a word. */
const containedLettersMin = 3;

/** What stands before a word, as in a bracket of a regular expression: by ranges, because with classes (`\s`) Postgres does not use its index. */
const signsBeforeWords = " \n!-/:-@\\[-`{-~";

/** One word of a query: a LIKE pattern of what the text contains, or a regular expression of how one of its words begins. */
export interface SearchWord {
  readonly kind: "contains" | "begins";
  readonly pattern: string;
}

/**
 * The words that a product's search text must have. A word is found anywhere in the text, one of fewer than three letters where a word begins with
 * it. Signs mean themselves. Undefined where there are too many words.
 */
export function searchWordsOf(query: string): readonly SearchWord[] | undefined {
  const words = folded(query)
    .split(/\s+/)
    .filter((word) => word !== "");
  return words.length > searchWordsMax ? undefined : words.map(searchWordOf);
}

function searchWordOf(word: string): SearchWord {
  // A sign begins no word.
  const isShort = [...word].length < containedLettersMin && /^[\p{L}\p{N}]+$/u.test(word);
  if (isShort) return { kind: "begins", pattern: `(^|[${signsBeforeWords}])${word}` };
  return { kind: "contains", pattern: `%${word.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`)}%` };
}

/** One spelling for what people read as the same: composed or not, wide or narrow, small or capital. */
function folded(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}
