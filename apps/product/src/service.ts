import { InventoryService, ProductService } from "@rialto/contracts";
import { serve } from "@rialto/rpc";
import { defineService } from "@rialto/service";
import { seedDemoCatalog } from "./demo-catalog.ts";
import { inventory } from "./inventory.ts";
import { products } from "./products.ts";
import { createStockStore } from "./stock-store.ts";
import { createProductStore } from "./store.ts";

export { errors } from "./errors.ts";

/** Everything that the product service is. */
export const product = defineService({
  name: "product",
  migrations: new URL("../migrations", import.meta.url),
  rights: { adjustment: "append-only", reservation: "kept", stock: "kept" },
  calls: {},
  own: ({ database, config: { unshippedQuantityMax } }) => ({
    products: createProductStore(database),
    stock: createStockStore(database, {
      unshippedMax: unshippedQuantityMax === 0 ? Number.POSITIVE_INFINITY : unshippedQuantityMax,
    }),
  }),
  rpc: (app) => [serve(ProductService, products(app)), serve(InventoryService, inventory(app))],
  seed: async (app) => {
    if (app.config.demo) await seedDemoCatalog(app);
  },
  stop: (app) => app.stock.close(),
});
