import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { anonymous, type Fixture, openFixture } from "./fixture.ts";

const fixtures: Fixture[] = [];
let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
  fixtures.push(fixture);
});
afterAll(async () => {
  for (const opened of fixtures) await opened.close();
});

const listed = async () => (await fixture.gateway.products.listProducts({ pageSize: 200 }, anonymous())).products;

describe("the demo catalog", () => {
  it("fills an empty catalog with some twenty products that can be ordered at once", async () => {
    await fixture.seed();
    const products = await listed();
    expect(products.length).toBe(20);
    expect(new Set(products.map((product) => product.category)).size).toBeGreaterThan(2);
    for (const product of products) expect(await fixture.stockOf(product.id)).toMatch(/^(\d+) \/ 0 \/ \1$/);
    expect(await fixture.discrepancies()).toEqual([]);
  });

  it("comes once, however many processes start and however often", async () => {
    const others = await Promise.all([fixture.start(), fixture.start()]);
    await Promise.all([fixture.seed(), ...others.map((process) => process.seed())]);
    await fixture.seed();
    expect((await listed()).length).toBe(20);
  });

  it("leaves a catalog that has a product alone", async () => {
    await fixture.product({ name: "Our own" });
    await fixture.seed();
    expect((await listed()).map((product) => product.name)).toEqual(["Our own"]);
  });

  it("does not come where it is not wanted", async () => {
    const process = await fixture.start({ RIALTO_DEMO: "false" });
    await process.seed();
    expect(await listed()).toEqual([]);
  });
});
