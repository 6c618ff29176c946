import { InventoryService, ProductService } from "@rialto/contracts";
import { serve } from "@rialto/rpc";
import { defineService } from "@rialto/service";
import { productVariables } from "./config.ts";
import { seedDemoCatalog } from "./product/demo-catalog.ts";
import { createProductSearch } from "./product/search.ts";
import { createProductStore } from "./product/store.ts";
import { createCatalogPages } from "./requests/catalog-pages.ts";
import { inventory } from "./requests/inventory.ts";
import { products } from "./requests/products.ts";
import { createRefusalCount } from "./stock/refusal-metrics.ts";
import { createStockStore } from "./stock/store.ts";

export { errors } from "./errors.ts";

/** The product service: the catalog and its stock. */
export const product = defineService({
  name: "product",
  migrations: new URL("../migrations", import.meta.url),
  rights: { audit_entry: "append-only", adjustment: "append-only", reservation: "kept", stock: "kept" },
  indexes: [
    {
      extension: "pg_trgm",
      name: "product_search",
      // The limit in kB. Each search scans the pending list one by one, which by default may grow to 4 MB.
      on: "product using gin (search_text gin_trgm_ops) with (gin_pending_list_limit = 256)",
    },
  ],
  config: productVariables,
  calls: {},
  setup({ database, config: { unshippedQuantityMax }, metrics }) {
    const products = createProductStore(database);
    return {
      products,
      pages: createCatalogPages(products, database),
      search: createProductSearch(database),
      stock: createStockStore(database, {
        unshippedMax: unshippedQuantityMax === 0 ? Number.POSITIVE_INFINITY : unshippedQuantityMax,
        count: metrics === undefined ? undefined : createRefusalCount(metrics),
      }),
    };
  },
  rpc: (app) => [serve(ProductService, products(app)), serve(InventoryService, inventory(app))],
  seed: async (app) => {
    if (app.config.demo) await seedDemoCatalog(app);
  },
  stop: (app) => app.stock.close(),
});
