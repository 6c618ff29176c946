import { describe, expect, it } from "vitest";
import { parseServiceUrl } from "../src/index.ts";

describe("the URL of a service", () => {
  it.each([
    ["http://10.0.0.7:8083", { kind: "address", url: "http://10.0.0.7:8083" }],
    ["https://order.example", { kind: "address", url: "https://order.example" }],
    ["dns:///order:8083", { kind: "name", name: "order", url: "http://order:8083", resolver: undefined }],
    [
      "dns://10.0.0.10:5353/order.shop:8083",
      { kind: "name", name: "order.shop", url: "http://order.shop:8083", resolver: "10.0.0.10:5353" },
    ],
    ["dns://[::1]:53/order:1", { kind: "name", name: "order", url: "http://order:1", resolver: "[::1]:53" }],
    [
      "dns+https://10.0.0.10/order.shop.:443",
      { kind: "name", name: "order.shop.", url: "https://order.shop:443", resolver: "10.0.0.10" },
    ],
  ])("is %s", (text, target) => {
    expect(parseServiceUrl(text)).toEqual(target);
  });

  it.each([
    "order:8083",
    "ftp://order:8083",
    "http:order",
    "http://user:secret@order",
    "http://order?x",
    "http://order#x",
    "dns:order:8083",
    "dns:///order",
    "dns:///order:0",
    "dns:///order:65536",
    "dns:///10.0.0.7:8083",
    "dns:///order:8083/path",
    "dns:///or der:8083",
    "dns:///a..b:8083",
    "dns://resolver.example/order:8083",
    "dns://user@10.0.0.10/order:8083",
    "dns:////order:8083",
    "",
  ])("is not %s", (text) => {
    expect(parseServiceUrl(text)).toBeUndefined();
  });
});
