import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { nobody, openWorld, type World } from "./product-world.ts";

const worlds: World[] = [];
let world: World;
beforeEach(async () => {
  world = await openWorld();
  worlds.push(world);
});
afterAll(async () => {
  for (const opened of worlds) await opened.close();
});

const listed = async () => (await world.door.products.listProducts({ pageSize: 200 }, nobody())).products;

describe("the demo catalog", () => {
  it("fills an empty catalog with some twenty products that can be ordered at once", async () => {
    await world.seed();
    const products = await listed();
    expect(products.length).toBe(20);
    expect(new Set(products.map((product) => product.category)).size).toBeGreaterThan(2);
    for (const product of products) expect(await world.stockOf(product.id)).toMatch(/^(\d+) \/ 0 \/ \1$/);
    expect(await world.discrepancies()).toEqual([]);
  });

  it("comes once, however many processes start and however often", async () => {
    const others = await Promise.all([world.start(), world.start()]);
    await Promise.all([world.seed(), ...others.map((process) => process.seed())]);
    await world.seed();
    expect((await listed()).length).toBe(20);
  });

  it("leaves a catalog that has a product alone", async () => {
    await world.product({ name: "Our own" });
    await world.seed();
    expect((await listed()).map((product) => product.name)).toEqual(["Our own"]);
  });

  it("does not come where it is not wanted", async () => {
    const process = await world.start({ RIALTO_DEMO: "false" });
    await process.seed();
    expect(await listed()).toEqual([]);
  });
});
