import { type DescMethod, type DescService, toBinary, toJson } from "@bufbuild/protobuf";
import * as contracts from "@rialto/contracts";
import { escapedJson, largestRequest } from "@rialto/testing/requests";
import { describe, expect, it } from "vitest";
import { requestSizeOf } from "../src/bounds/request-size.ts";
import { scanBinary } from "../src/bounds/scan-binary.ts";
import { scanJson } from "../src/bounds/scan-json.ts";
import { assertValid } from "../src/server/validation.ts";

const services = Object.values<unknown>(contracts).filter(
  (value): value is DescService =>
    typeof value === "object" && value !== null && "kind" in value && value.kind === "service",
);
const methods: readonly [string, DescMethod][] = services.flatMap((service) =>
  service.methods.map((method): [string, DescMethod] => [`${service.name}.${method.name}`, method]),
);

describe("the largest request that the contract's rules allow", () => {
  // Where a text, bytes, a list, a map or a mask has no bound there is no largest one, and the field is named.
  it.each(methods)("exists for %s, is valid, and is within the size of its method", (_name, method) => {
    const size = requestSizeOf(method);
    const message = largestRequest(method.input);
    expect(() => assertValid(method.input, message)).not.toThrow();
    const binary = toBinary(method.input, message);
    const json = toJson(method.input, message);
    expect(scanBinary(method.input, binary, size).violation).toBeUndefined();
    for (const text of [JSON.stringify(json), escapedJson(json ?? {})]) {
      expect(scanJson(method.input, Buffer.from(text), size).violation).toBeUndefined();
      expect(text.length).toBeLessThanOrEqual(size.bytes);
    }
    expect(binary.length).toBeLessThanOrEqual(size.bytes);
  });
});
