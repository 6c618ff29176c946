const parts = { "exception.type": "type", "exception.message": "message", "exception.stacktrace": "stack" } as const;

/** Returns the parts of an error, as it stands in a line of the log, by their names in OpenTelemetry's conventions. */
export function exceptionFields(err: unknown): Record<string, string> {
  if (typeof err !== "object" || err === null) return {};
  return Object.fromEntries(
    Object.entries(parts).flatMap(([name, field]) => {
      const value: unknown = Reflect.get(err, field);
      return typeof value === "string" ? [[name, value]] : [];
    }),
  );
}
