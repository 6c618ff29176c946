import type { ListProductsResponse } from "@rialto/contracts";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { admin, as, nobody, openWorld, refusal, type World } from "./product-world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const catalog = () => world.door.products;

/** A category of a test's own, so that its lists hold its products only. */
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
    const { product: read } = await catalog().getProduct({ id: product?.id ?? "" }, nobody());
    expect(read).toEqual(product);
    expect(await world.stockOf(product?.id ?? "")).toBe("0 / 0 / 0");
  });

  it("is done once for one idempotency key", async () => {
    const category = ownCategory();
    const origin = admin();
    const product = { name: "Mug", category, price: { currencyCode: "EUR", minorUnits: 5n }, active: true };
    const add = () => catalog().createProduct({ product }, origin, { idempotencyKey: category.replace(" ", "-") });
    const [first, second] = await Promise.all([add(), add()]);
    expect(second).toEqual(first);
    expect(await namesOf(catalog().listProducts({ category }, nobody()))).toEqual(["Mug"]);
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
  it("is there for admins and services, and for nobody else", async () => {
    const category = ownCategory();
    const id = await world.product({ active: false, category });
    for (const origin of [nobody(), as("CUSTOMER")]) {
      expect(await refusal(catalog().getProduct({ id }, origin))).toBe("PRODUCT_NOT_FOUND");
      expect((await catalog().batchGetProducts({ ids: [id] }, origin)).products).toEqual([]);
      expect((await catalog().listProducts({ category }, origin)).products).toEqual([]);
    }
    expect((await catalog().getProduct({ id }, admin())).product?.active).toBe(false);
    expect(await namesOf(catalog().listProducts({ category }, admin()))).toEqual(["Teapot"]);
    const seen = await world.order.products.batchGetProducts({ ids: [id] }, nobody());
    expect(seen.products.map((product) => product.id)).toEqual([id]);
  });
});

describe("BatchGetProducts", () => {
  it("answers in the order of the ids, without those that are not there", async () => {
    const [a, b] = await Promise.all([world.product(), world.product()]);
    const { products } = await catalog().batchGetProducts({ ids: [b, uuidv7(), a.toUpperCase()] }, nobody());
    expect(products.map((product) => product.id)).toEqual([b, a]);
  });
});

describe("ListProducts", () => {
  it("finds every word in name or description, without regard to case", async () => {
    const category = ownCategory();
    await world.product({ category, name: "Green Mug", description: "Holds TEA." });
    await world.product({ category, name: "Red mug", description: "Holds coffee." });
    const find = (query: string) => namesOf(catalog().listProducts({ query, category }, nobody()));
    expect(await find("mug")).toEqual(["Red mug", "Green Mug"]);
    expect(await find("  tea   GREEN ")).toEqual(["Green Mug"]);
    expect(await find("tea red")).toEqual([]);
    expect(await find("mugholds")).toEqual([]);
  });

  it("finds words of every language without regard to case", async () => {
    const category = ownCategory();
    await world.product({ category, name: "ÜBERTOPF", description: "Керамика" });
    for (const query of ["übertopf", "Übertopf", "КЕРАМИКА", "u\u0308bertopf"])
      expect(await namesOf(catalog().listProducts({ query, category }, nobody()))).toEqual(["ÜBERTOPF"]);
  });

  it("takes the signs of patterns for what they are", async () => {
    const category = ownCategory();
    await world.product({ category, name: "100% wool" });
    await world.product({ category, name: "100 wool_len C:\\temp" });
    const find = (query: string) => namesOf(catalog().listProducts({ query, category }, nobody()));
    expect(await find("100%")).toEqual(["100% wool"]);
    expect(await find("%")).toEqual(["100% wool"]);
    expect(await find("l_l")).toEqual(["100 wool_len C:\\temp"]);
    expect(await find("_")).toEqual(["100 wool_len C:\\temp"]);
    expect(await find(":\\t")).toEqual(["100 wool_len C:\\temp"]);
    expect(await find("'; drop table product; --")).toEqual([]);
  });

  it("finds a word of fewer than three letters where a word begins with it", async () => {
    const category = ownCategory();
    await world.product({ category, name: "Tea pot", description: "(xl) Größe, 茶" });
    const find = (query: string) => namesOf(catalog().listProducts({ query, category }, nobody()));
    for (const query of ["t", "te", "po", "p tea", "xl", "gr", "茶"])
      expect(await find(query), query).toEqual(["Tea pot"]);
    for (const query of ["ea", "ot", "l", "x y"]) expect(await find(query), query).toEqual([]);
  });

  it("takes eight words, and says that nine are too many", async () => {
    const category = ownCategory();
    await world.product({ category, name: "one two three four five six seven eight" });
    const query = "one two three four five six seven eight";
    expect(await namesOf(catalog().listProducts({ query, category }, nobody()))).toHaveLength(1);
    const error = await catalog()
      .listProducts({ query: `${query} one`, category }, nobody())
      .catch((cause) => cause);
    expect(error).toMatchObject({
      reason: "INVALID_REQUEST",
      fields: [{ field: "query", description: "must have at most 8 words" }],
    });
  });

  it("takes a category exactly", async () => {
    const category = ownCategory();
    await world.product({ category });
    expect((await catalog().listProducts({ category: category.toUpperCase() }, nobody())).products).toEqual([]);
    expect((await catalog().listProducts({ category: category.slice(0, -1) }, nobody())).products).toEqual([]);
    expect((await catalog().listProducts({ category }, nobody())).products.length).toBe(1);
  });

  it("neither skips nor repeats a product that stood still while others came, changed and were hidden", async () => {
    const category = ownCategory();
    const ids: string[] = [];
    for (let n = 0; n < 25; n += 1) ids.push(await world.product({ category, name: `Still ${n}` }));
    const moving = ids.filter((_, n) => n % 5 === 4);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await catalog().listProducts({ category, pageSize: 4, pageToken }, nobody());
      seen.push(...page.products.map((product) => product.id));
      pageToken = page.nextPageToken;
      await world.product({ category, name: "New" });
      const hidden = moving.pop();
      if (hidden !== undefined) await catalog().updateProduct({ id: hidden, product: { active: false } }, admin());
    } while (pageToken !== "");
    const still = ids.filter((_, n) => n % 5 !== 4).toReversed();
    expect(seen.filter((id) => still.includes(id))).toEqual(still);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("ends with the last product, also where it fills its page", async () => {
    const category = ownCategory();
    for (let n = 0; n < 4; n += 1) await world.product({ category });
    const first = await catalog().listProducts({ category, pageSize: 2 }, nobody());
    const second = await catalog().listProducts({ category, pageSize: 2, pageToken: first.nextPageToken }, nobody());
    expect(second.products.length).toBe(2);
    expect(second.nextPageToken).toBe("");
  });

  it("refuses a page token that was made for another list, or by somebody else", async () => {
    const category = ownCategory();
    for (let n = 0; n < 2; n += 1) await world.product({ category });
    const { nextPageToken: pageToken } = await catalog().listProducts({ category, pageSize: 1 }, nobody());
    const others = [{ category: "" }, { category, query: "teapot" }];
    for (const other of others)
      expect(await refusal(catalog().listProducts({ ...other, pageToken }, nobody()))).toBe("PAGE_TOKEN_INVALID");
    expect(await refusal(catalog().listProducts({ category, pageToken }, admin()))).toBe("PAGE_TOKEN_INVALID");
    expect(await refusal(catalog().listProducts({ pageToken: "made-up" }, nobody()))).toBe("PAGE_TOKEN_INVALID");
  });
});

describe("UpdateProduct", () => {
  it("changes what the mask names, and without a mask what is set", async () => {
    const id = await world.product({ name: "Mug", description: "Holds tea.", category: "Kitchen" });
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
    const id = await world.product({ category, name: "Mug" });
    await catalog().updateProduct({ id, product: { name: "Cup" } }, admin());
    const find = (query: string) => namesOf(catalog().listProducts({ query, category }, nobody()));
    expect(await find("cup")).toEqual(["Cup"]);
    expect(await find("mug")).toEqual([]);
  });

  it("refuses a mask that names what has no value, and fields that there are not", async () => {
    const id = await world.product();
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
