import type { ListProductsResponse } from "@rialto/contracts";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { admin, anonymous, as, type Fixture, openFixture, refusal } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const catalog = () => fixture.gateway.products;

/** A category for one test, so that its lists contain only its products. */
const ownCategory = () => `category ${uuidv7()}`;

async function namesOf(page: Promise<ListProductsResponse>): Promise<string[]> {
  return (await page).products.map((product) => product.name);
}

describe("CreateProduct", () => {
  it("adds a product as it was described, without stock", async () => {
    const given = {
      name: "Mug",
      description: "Holds tea.",
      category: "Kitchen",
      price: { currencyCode: "EUR", minorUnits: 999_999_999n },
      active: true,
    };
    const { product } = await catalog().createProduct({ product: given }, admin());
    expect(product).toMatchObject({ ...given, price: { minorUnits: 999_999_999n, currencyCode: "EUR" } });
    const { product: read } = await catalog().getProduct({ id: product?.id ?? "" }, anonymous());
    expect(read).toEqual(product);
    expect(await fixture.stockOf(product?.id ?? "")).toBe("0 / 0 / 0");
  });

  it("is done once for one idempotency key", async () => {
    const category = ownCategory();
    const origin = admin();
    const product = { name: "Mug", category, price: { currencyCode: "EUR", minorUnits: 5n }, active: true };
    const add = () => catalog().createProduct({ product }, origin, { idempotencyKey: category.replace(" ", "-") });
    const [first, second] = await Promise.all([add(), add()]);
    expect(second).toEqual(first);
    expect(await namesOf(catalog().listProducts({ category }, anonymous()))).toEqual(["Mug"]);
  });

  it("takes no price of nothing", async () => {
    for (const minorUnits of [0n, -1n]) {
      const product = { name: "Gift", price: { currencyCode: "EUR", minorUnits }, active: true };
      expect(await refusal(catalog().createProduct({ product }, admin()))).toBe("INVALID_REQUEST");
    }
    expect(await refusal(catalog().createProduct({ product: { name: "Gift" } }, admin()))).toBe("INVALID_REQUEST");
  });

  it("is for admins", async () => {
    const product = { name: "Mug", price: { currencyCode: "EUR", minorUnits: 5n } };
    expect(await refusal(catalog().createProduct({ product }, as("CUSTOMER")))).toBe("ACCESS_DENIED");
  });
});

describe("a product that is not on sale", () => {
  it("is visible to admins and services only", async () => {
    const category = ownCategory();
    const id = await fixture.product({ active: false, category });
    for (const origin of [anonymous(), as("CUSTOMER")]) {
      expect(await refusal(catalog().getProduct({ id }, origin))).toBe("PRODUCT_NOT_FOUND");
      expect((await catalog().batchGetProducts({ ids: [id] }, origin)).products).toEqual([]);
      expect((await catalog().listProducts({ category }, origin)).products).toEqual([]);
    }
    expect((await catalog().getProduct({ id }, admin())).product?.active).toBe(false);
    expect(await namesOf(catalog().listProducts({ category }, admin()))).toEqual(["Teapot"]);
    const seen = await fixture.order.products.batchGetProducts({ ids: [id] }, anonymous());
    expect(seen.products.map((product) => product.id)).toEqual([id]);
  });
});

describe("BatchGetProducts", () => {
  it("answers in the order of the ids, without those that are not there", async () => {
    const [a, b] = await Promise.all([fixture.product(), fixture.product()]);
    const { products } = await catalog().batchGetProducts({ ids: [b, uuidv7(), a.toUpperCase()] }, anonymous());
    expect(products.map((product) => product.id)).toEqual([b, a]);
  });
});

describe("ListProducts", () => {
  it("finds every word in name or description, without regard to case", async () => {
    const category = ownCategory();
    await fixture.product({ category, name: "Green Mug", description: "Holds TEA." });
    await fixture.product({ category, name: "Red mug", description: "Holds coffee." });
    const find = (query: string) => namesOf(catalog().listProducts({ query, category }, anonymous()));
    expect(await find("mug")).toEqual(["Red mug", "Green Mug"]);
    expect(await find("  tea   GREEN ")).toEqual(["Green Mug"]);
    expect(await find("tea red")).toEqual([]);
    expect(await find("mugholds")).toEqual([]);
  });

  it("finds words of every language without regard to case", async () => {
    const category = ownCategory();
    await fixture.product({ category, name: "ÜBERTOPF", description: "Керамика" });
    for (const query of ["übertopf", "Übertopf", "КЕРАМИКА", "u\u0308bertopf"])
      expect(await namesOf(catalog().listProducts({ query, category }, anonymous()))).toEqual(["ÜBERTOPF"]);
  });

  it("takes the signs of patterns for what they are", async () => {
    const category = ownCategory();
    await fixture.product({ category, name: "100% wool" });
    await fixture.product({ category, name: "100 wool_len C:\\temp" });
    const find = (query: string) => namesOf(catalog().listProducts({ query, category }, anonymous()));
    expect(await find("100%")).toEqual(["100% wool"]);
    expect(await find("%")).toEqual(["100% wool"]);
    expect(await find("l_l")).toEqual(["100 wool_len C:\\temp"]);
    expect(await find("_")).toEqual(["100 wool_len C:\\temp"]);
    expect(await find(":\\t")).toEqual(["100 wool_len C:\\temp"]);
    expect(await find("'; drop table product; --")).toEqual([]);
  });

  it("finds a word of fewer than three letters where a word begins with it", async () => {
    const category = ownCategory();
    await fixture.product({ category, name: "Tea pot", description: "(xl) Größe, 茶" });
    const find = (query: string) => namesOf(catalog().listProducts({ query, category }, anonymous()));
    for (const query of ["t", "te", "po", "p tea", "xl", "gr", "茶"])
      expect(await find(query), query).toEqual(["Tea pot"]);
    for (const query of ["ea", "ot", "l", "x y"]) expect(await find(query), query).toEqual([]);
  });

  it("takes eight words, and says that nine are too many", async () => {
    const category = ownCategory();
    await fixture.product({ category, name: "one two three four five six seven eight" });
    const query = "one two three four five six seven eight";
    expect(await namesOf(catalog().listProducts({ query, category }, anonymous()))).toHaveLength(1);
    const error = await catalog()
      .listProducts({ query: `${query} one`, category }, anonymous())
      .catch((cause) => cause);
    expect(error).toMatchObject({
      reason: "INVALID_REQUEST",
      fields: [{ field: "query", description: "must have at most 8 words" }],
    });
  });

  it("takes a category exactly", async () => {
    const category = ownCategory();
    await fixture.product({ category });
    expect((await catalog().listProducts({ category: category.toUpperCase() }, anonymous())).products).toEqual([]);
    expect((await catalog().listProducts({ category: category.slice(0, -1) }, anonymous())).products).toEqual([]);
    expect((await catalog().listProducts({ category }, anonymous())).products.length).toBe(1);
  });

  it("neither skips nor repeats an unchanged product while others are added, changed and hidden", async () => {
    const category = ownCategory();
    const ids: string[] = [];
    for (let n = 0; n < 25; n += 1) ids.push(await fixture.product({ category, name: `Still ${n}` }));
    const moving = ids.filter((_, n) => n % 5 === 4);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await catalog().listProducts({ category, pageSize: 4, pageToken }, anonymous());
      seen.push(...page.products.map((product) => product.id));
      pageToken = page.nextPageToken;
      await fixture.product({ category, name: "New" });
      const hidden = moving.pop();
      if (hidden !== undefined) await catalog().updateProduct({ id: hidden, product: { active: false } }, admin());
    } while (pageToken !== "");
    const still = ids.filter((_, n) => n % 5 !== 4).toReversed();
    expect(seen.filter((id) => still.includes(id))).toEqual(still);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("ends with the last product, also where it fills its page", async () => {
    const category = ownCategory();
    for (let n = 0; n < 4; n += 1) await fixture.product({ category });
    const first = await catalog().listProducts({ category, pageSize: 2 }, anonymous());
    const second = await catalog().listProducts({ category, pageSize: 2, pageToken: first.nextPageToken }, anonymous());
    expect(second.products.length).toBe(2);
    expect(second.nextPageToken).toBe("");
  });

  it("refuses a page token of another list, and a forged one", async () => {
    const category = ownCategory();
    for (let n = 0; n < 2; n += 1) await fixture.product({ category });
    const { nextPageToken: pageToken } = await catalog().listProducts({ category, pageSize: 1 }, anonymous());
    const others = [{ category: "" }, { category, query: "teapot" }];
    for (const other of others)
      expect(await refusal(catalog().listProducts({ ...other, pageToken }, anonymous()))).toBe("PAGE_TOKEN_INVALID");
    expect(await refusal(catalog().listProducts({ category, pageToken }, admin()))).toBe("PAGE_TOKEN_INVALID");
    expect(await refusal(catalog().listProducts({ pageToken: "made-up" }, anonymous()))).toBe("PAGE_TOKEN_INVALID");
  });
});

describe("UpdateProduct", () => {
  it("changes what the mask names, and without a mask what is set", async () => {
    const id = await fixture.product({ name: "Mug", description: "Holds tea.", category: "Kitchen" });
    const { product: masked } = await catalog().updateProduct(
      { id, product: { name: "Cup", description: "Ignored." }, updateMask: { paths: ["name"] } },
      admin(),
    );
    expect(masked).toMatchObject({ name: "Cup", description: "Holds tea." });
    const price = { currencyCode: "USD", minorUnits: 7n };
    const { product: set } = await catalog().updateProduct({ id, product: { price, active: false } }, admin());
    expect(set).toMatchObject({ name: "Cup", category: "Kitchen", price, active: false });
    const { product: emptied } = await catalog().updateProduct(
      { id, product: {}, updateMask: { paths: ["description", "category"] } },
      admin(),
    );
    expect(emptied).toMatchObject({ name: "Cup", description: "", category: "" });
  });

  it("is found by its new words", async () => {
    const category = ownCategory();
    const id = await fixture.product({ category, name: "Mug" });
    await catalog().updateProduct({ id, product: { name: "Cup" } }, admin());
    const find = (query: string) => namesOf(catalog().listProducts({ query, category }, anonymous()));
    expect(await find("cup")).toEqual(["Cup"]);
    expect(await find("mug")).toEqual([]);
  });

  it("refuses a mask that names what has no value, and fields that there are not", async () => {
    const id = await fixture.product();
    const error = await catalog()
      .updateProduct({ id, product: {}, updateMask: { paths: ["name", "price"] } }, admin())
      .catch((cause) => cause);
    expect(error.reason).toBe("INVALID_REQUEST");
    expect(error.fields.map((violation: { field: string }) => violation.field)).toEqual([
      "product.name",
      "product.price",
    ]);
    const unknown = catalog().updateProduct({ id, product: {}, updateMask: { paths: ["id"] } }, admin());
    expect(await refusal(unknown)).toBe("INVALID_REQUEST");
  });

  it("finds no product that is not there", async () => {
    expect(await refusal(catalog().updateProduct({ id: uuidv7(), product: { name: "Cup" } }, admin()))).toBe(
      "PRODUCT_NOT_FOUND",
    );
  });
});
