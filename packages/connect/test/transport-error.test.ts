import { Code, ConnectError } from "@connectrpc/connect";
import { BulkheadFull } from "@rialto/async";
import { describe, expect, it } from "vitest";
import { transportError } from "../src/client/transport-error.ts";

const withCode = (code: string) => Object.assign(new Error("something happened"), { code });

describe("a call without a whole response", () => {
  it.each([
    { title: "a server that refuses connections", reason: withCode("ECONNREFUSED"), code: Code.Unavailable },
    { title: "no connection in time", reason: withCode("ETIMEDOUT"), code: Code.Unavailable },
    { title: "a lost connection", reason: withCode("ECONNRESET"), code: Code.Aborted },
    { title: "a connection that was lost before it was noticed", reason: withCode("EPIPE"), code: Code.Aborted },
    { title: "a cause that is one of these", reason: new Error("x", { cause: withCode("EPIPE") }), code: Code.Aborted },
    { title: "too many calls that wait", reason: new BulkheadFull("full"), code: Code.ResourceExhausted },
    { title: "a response that cannot be read", reason: withCode("ERR_RESPONSE_MALFORMED"), code: Code.Internal },
  ])("fails by the code of $title, which is its cause", ({ reason, code }) => {
    expect(transportError(reason)).toMatchObject({ code, cause: reason });
  });

  it("keeps an error that has its code already", () => {
    const error = new ConnectError("late", Code.DeadlineExceeded);
    expect(transportError(error)).toBe(error);
  });
});
