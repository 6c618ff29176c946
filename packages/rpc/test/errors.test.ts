import { OrderErrorReason } from "@rialto/contracts";
import { describe, expect, it } from "vitest";
import { CallError, callErrors, defineErrors, errorDefinitions, isUnavailable, reasonOf } from "../src/index.ts";
import { errors } from "./fixture.ts";

describe("a table of errors", () => {
  it("knows each reason with its enum, its domain and its row", () => {
    expect(errors.ORDER_NOT_FOUND).toMatchObject({
      reason: "ORDER_NOT_FOUND",
      enumName: "OrderErrorReason",
      domain: "order",
      code: "not_found",
      retryable: false,
    });
  });

  it("can be read in its order, for the documentation", () => {
    const all = [...errorDefinitions([errors, callErrors])];
    expect(all.slice(0, 2).map(({ reason }) => reason)).toEqual(["ORDER_NOT_FOUND", "PRODUCT_UNAVAILABLE"]);
    expect(all.at(-1)).toMatchObject({ reason: "INTERNAL_ERROR", enumName: "ErrorReason", domain: "type" });
    expect(all).toHaveLength(13 + 16);
  });

  it("is not accepted with a reason missing or one too many", () => {
    const row = { code: "not_found", retryable: false, message: "m", client: "c", operator: "o" } as const;
    // @ts-expect-error ten reasons of the contract are missing
    defineErrors(OrderErrorReason, "order", { ORDER_NOT_FOUND: row });
    // @ts-expect-error no such reason in the contract
    expect(errors.OUT_OF_CHEESE).toBeUndefined();
  });
});

describe("a refusal", () => {
  it("is an error with what its table says", () => {
    const refusal = new CallError(errors.ORDER_CLOSED, { metadata: { status: "DELIVERED" }, cause: "why" });
    expect(refusal).toBeInstanceOf(CallError);
    expect(refusal).toMatchObject({ reason: "ORDER_CLOSED", code: "failed_precondition", cause: "why", fields: [] });
    expect(reasonOf(refusal)).toBe("ORDER_CLOSED");
  });

  it("says by its code whether trying again can help; any other error says nothing", () => {
    expect(isUnavailable(new CallError(callErrors.CHANGED_MEANWHILE))).toBe(true);
    expect(isUnavailable(new CallError(errors.ORDER_CLOSED))).toBe(false);
    expect(isUnavailable(new Error("x"))).toBe(false);
    expect(reasonOf(new Error("x"))).toBeUndefined();
    expect(reasonOf(undefined)).toBeUndefined();
  });
});
