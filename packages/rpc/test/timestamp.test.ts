import { create } from "@bufbuild/protobuf";
import { TimestampSchema, timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, it } from "vitest";
import { timestampOf } from "../src/index.ts";

it("what a timestamp is made of is the same as the library's timestamp, for any date", () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), (date) => {
      expect(create(TimestampSchema, timestampOf(date))).toEqual(timestampFromDate(date));
    }),
  );
});
