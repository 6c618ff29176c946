import { create, toBinary } from "@bufbuild/protobuf";
import { BadRequestSchema, ErrorInfoSchema } from "@rialto/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallError } from "../src/errors/call-error.ts";
import { callErrors } from "../src/errors/call-errors.ts";
import { toConnectError } from "../src/wire/connect-error.ts";
import { errorResponse } from "../src/wire/error-response.ts";
import { textOf } from "./transports.ts";

const anything = fc.oneof(
  fc.string({ unit: "binary", maxLength: 2_000 }),
  fc.constantFrom('"'.repeat(900), "\u0001".repeat(900), "\ud83d", "é".repeat(9_000)),
);
const violation = fc.record({ field: anything, description: anything, rule: anything });

describe("a refusal", () => {
  it("names 20 fields at the most, and says how many more there were", () => {
    const fields = Array.from({ length: 10_000 }, (_, at) => ({
      field: `ids[${at}]`,
      description: "must be a UUID",
      rule: "string.uuid",
    }));
    const refusal = new CallError(callErrors.INVALID_REQUEST, { fields });
    expect(refusal.fields).toEqual(fields.slice(0, 20));
    expect(refusal.metadata).toEqual({ violations_omitted: "9980" });
  });

  it("keeps what is short as it is", () => {
    const detail = {
      fields: [{ field: "a.b[0]", description: "Größe „5“", rule: "x" }],
      metadata: { product_id: "1" },
    };
    expect(new CallError(callErrors.INVALID_REQUEST, detail)).toMatchObject(detail);
  });

  it("that another process bounded is passed on as it is, and one that no one bounded is bounded here", () => {
    const many = fc.array(violation, { maxLength: 60 });
    fc.assert(
      fc.property(many, fc.dictionary(anything, anything, { maxKeys: 5 }), anything, (fields, metadata, message) => {
        const first = new CallError({ ...callErrors.INVALID_REQUEST, message }, { fields, metadata });
        const passedOn = new CallError(first, { fields: first.fields, metadata: first.metadata, remote: true });
        expect(passedOn).toMatchObject({
          message: first.message,
          fields: first.fields,
          metadata: first.metadata,
        });
        const unbounded = new CallError({ ...callErrors.INVALID_REQUEST, message }, { fields, metadata, remote: true });
        expect(unbounded).toMatchObject({ message: first.message, fields: first.fields, metadata: first.metadata });
      }),
      { numRuns: 50 },
    );
  });

  it("stays in its bounds whatever stands in it: details within 3 KiB in binary, and no answer past 7 KiB", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(violation, { maxLength: 30 }),
        fc.dictionary(anything, anything, { maxKeys: 5 }),
        anything,
        async (fields, metadata, message) => {
          const refusal = new CallError({ ...callErrors.INVALID_REQUEST, message }, { fields, metadata });
          const details = toConnectError(refusal).details.map((detail) => {
            if (!("desc" in detail)) throw new Error("a detail that came over the wire");
            return detail.desc === ErrorInfoSchema
              ? toBinary(ErrorInfoSchema, create(ErrorInfoSchema, detail.value))
              : toBinary(BadRequestSchema, create(BadRequestSchema, detail.value));
          });
          expect(details.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(3 * 1024);
          for (const [protocol, contentType] of [
            ["connect", "application/json"],
            ["connect-stream", "application/connect+json"],
            ["grpc", "application/grpc"],
            ["grpc-web", "application/grpc-web"],
          ] as const) {
            const answer = errorResponse(refusal, { protocol, contentType });
            const body = Buffer.byteLength(await textOf(answer));
            const head = [...answer.header, ...answer.trailer].reduce(
              (sum, [name, value]) => sum + name.length + value.length + 4,
              0,
            );
            expect(body + head).toBeLessThanOrEqual(7 * 1024);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
