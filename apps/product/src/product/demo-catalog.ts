import type { Database } from "@rialto/database";
import { v7 as uuid } from "uuid";
import { applyDecisions } from "../stock/store.ts";
import type { Product } from "./state.ts";
import { insertAdjustment, insertProduct } from "./store.ts";

/** Name, category, price in cents, quantity, description. */
type Row = readonly [name: string, category: string, price: bigint, pieces: number, description: string];

const catalog: readonly Row[] = [
  ["Espresso cup", "Kitchen", 890n, 400, "Porcelain, 80 ml, thick enough to keep it hot."],
  ["Coffee mill", "Kitchen", 8900n, 60, "Hand mill with steel burrs and forty steps."],
  ["Moka pot", "Kitchen", 3450n, 120, "Aluminium, for six small cups."],
  ["Chef's knife", "Kitchen", 7900n, 80, "Forged, 20 cm, with an oak handle."],
  ["Cutting board", "Kitchen", 4200n, 90, "End-grain beech, with feet that hold."],
  ["Linen apron", "Kitchen", 3900n, 150, "Washed linen, two pockets."],
  ["Desk lamp", "Office", 11900n, 40, "Three joints, warm light, dimmed by a turn."],
  ["Notebook", "Office", 1650n, 500, "Dotted, 192 pages, lies flat."],
  ["Fountain pen", "Office", 5400n, 70, "Steel nib, fine, with a converter."],
  ["Desk pad", "Office", 4900n, 60, "Felt and cork, 90 by 40 cm."],
  ["Letter tray", "Office", 2950n, 110, "Powder-coated steel, stackable."],
  ["Rain jacket", "Outdoor", 14900n, 75, "Three layers, taped seams, packs into its pocket."],
  ["Head torch", "Outdoor", 4450n, 130, "400 lumens, charged by USB-C."],
  ["Bottle", "Outdoor", 2490n, 300, "Steel, 750 ml, double wall."],
  ["Camp stove", "Outdoor", 6900n, 45, "Gas, 85 g, lights in the wind."],
  ["Wool blanket", "Home", 9900n, 55, "Merino, 140 by 200 cm."],
  ["Candle", "Home", 1890n, 250, "Beeswax, burns for forty hours."],
  ["Wall clock", "Home", 6450n, 35, "Silent movement, 30 cm, ash."],
  ["Plant pot", "Home", 2150n, 180, "Terracotta, with a saucer."],
  ["Canvas bag", "Home", 2890n, 220, "Heavy canvas, carries twenty kilograms."],
];

/** Fills an empty catalog with demo products. If two replicas start at once, one of them does it. */
export async function seedDemoCatalog(o: { readonly database: Database; now(): Date }): Promise<void> {
  await o.database.sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended('rialto demo catalog', 0))`;
    if ((await tx`select from product limit 1`).length > 0) return;
    const now = o.now();
    const products = catalog.map(([name, category, price, pieces, description]) => {
      const [currency, active] = ["EUR", true];
      const times = { createTime: now, updateTime: now };
      const product: Product = { id: uuid(), name, description, category, price, currency, active, ...times };
      return { product, delta: pieces };
    });
    // Statements that do not wait for each other's answers travel together.
    await Promise.all(products.map(({ product }) => insertProduct(tx, product)));
    await applyDecisions(
      tx,
      products.map(({ product: { id: productId }, delta }) => ({ kind: "adjust", productId, delta })),
    );
    const said = { reason: "demo catalog", actor: "service:product", time: now };
    await Promise.all(
      products.map(({ product: { id: productId }, delta }) =>
        insertAdjustment(tx, { id: uuid(), productId, delta, ...said }),
      ),
    );
  });
}
