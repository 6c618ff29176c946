import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** True for {...}: not for a list, not for null. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
