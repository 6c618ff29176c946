import { exceptionFields } from "../exception-fields.ts";
import { type KeptLine, levelCharsMax, shortened, textsOf } from "./kept-trace.ts";

/** Returns what is kept of a line of the log, as it was written; undefined where it belongs to no trace. */
export function keptLine(text: string): KeptLine | undefined {
  const line = parse(text);
  if (typeof line?.traceId !== "string") return undefined;
  const { traceId, spanId, time, level, msg, service, err, ...fields } = line;
  return {
    traceId,
    spanId: typeof spanId === "string" ? spanId : undefined,
    timeMs: typeof time === "string" ? Date.parse(time) : Date.now(),
    level: shortened(textOr(level, "info"), levelCharsMax),
    message: shortened(textOr(msg, "")),
    service: shortened(textOr(service, "")),
    fields: textsOf(Object.entries({ ...fields, ...exceptionFields(err) })),
  };
}

function textOr(value: unknown, other: string): string {
  return typeof value === "string" ? value : other;
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // A line of ours is one object.
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
