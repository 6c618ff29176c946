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

/** The words that a product's search text must contain, each as a LIKE pattern in which nothing but the words is meant. */
export function patternsOf(query: string): readonly string[] {
  const words = folded(query)
    .split(/\s+/)
    .filter((word) => word !== "");
  return words.map((word) => `%${word.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`)}%`);
}

/** One spelling for what people read as the same: composed or not, wide or narrow, small or capital. */
function folded(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}
