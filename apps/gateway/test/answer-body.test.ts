import { gunzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { ListProductsResponseSchema } from "@rialto/contracts";
import { reasonOf, shareAnswer } from "@rialto/rpc";
import { describe, expect, it } from "vitest";
import { contractServices } from "../src/contract.ts";
import { answerBodyOf } from "../src/rest/answer-body.ts";
import { compileRoutes, type RestRoute } from "../src/rest/routes.ts";

function routeOf(path: string): RestRoute & { readonly written: () => number } {
  const found = compileRoutes(contractServices).match("GET", path);
  if (found.kind !== "found") throw new Error(`no route for ${path}`);
  let written = 0;
  return {
    ...found.route,
    writeAnswer(message) {
      written += 1;
      return found.route.writeAnswer(message);
    },
    written: () => written,
  };
}

const pageOf = (name: string) =>
  create(ListProductsResponseSchema, { products: Array.from({ length: 20 }, () => ({ name })) });

describe("the body of an answer", () => {
  it("is text where each character is a byte, and else its bytes", () => {
    const route = routeOf("/api/products");
    const ascii = answerBodyOf(route, pageOf("Teapot")).json;
    const other = answerBodyOf(route, pageOf("Überkanne 茶")).json;
    expect([typeof ascii, Buffer.isBuffer(other)]).toEqual(["string", true]);
    const namesOf = (json: string | Uint8Array) =>
      JSON.parse(Buffer.from(json).toString()).products.map(({ name }: { readonly name: string }) => name);
    expect(new Set(namesOf(ascii))).toEqual(new Set(["Teapot"]));
    expect(new Set(namesOf(other))).toEqual(new Set(["Überkanne 茶"]));
  });

  it("is written once, and compressed once in each way, for all who share the answer", async () => {
    const route = routeOf("/api/products");
    const shared = shareAnswer(pageOf("Teapot"));
    const bodies = Array.from({ length: 20 }, () => answerBodyOf(route, shared));
    expect(new Set(bodies).size).toBe(1);
    expect(route.written()).toBe(1);
    const zipped = await Promise.all(bodies.map((body) => body.compressed("gzip")));
    expect(new Set(zipped).size).toBe(1);
    expect(gunzipSync(zipped[0] ?? Buffer.of()).toString()).toBe(bodies[0]?.json);
    expect(await bodies[0]?.compressed("br")).not.toBe(zipped[0]);
  });

  it("is written anew for an answer that is not shared: it may have changed", () => {
    const route = routeOf("/api/products");
    const page = pageOf("Teapot");
    const before = answerBodyOf(route, page).json;
    page.products.length = 1;
    expect(answerBodyOf(route, page).json).not.toBe(before);
    expect(route.written()).toBe(2);
  });

  it("is an internal error where no message may hold the answer", () => {
    const page = pageOf("Teapot");
    page.products[0] = { ...pageOf("").products[0], name: 1 as unknown as string } as (typeof page.products)[number];
    const make = () => answerBodyOf(routeOf("/api/products"), page);
    expect(make).toThrow();
    try {
      make();
    } catch (error) {
      expect(reasonOf(error)).toBe("INTERNAL_ERROR");
    }
  });
});
