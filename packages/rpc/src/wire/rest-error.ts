import { codeFromString } from "@connectrpc/connect/protocol-connect";
import type { ErrorDefinition } from "../errors/errors.ts";

/** An error as REST says it, google.rpc.Status in JSON: for what is refused before a method is known, so that nobody knows how its caller speaks. */
export function restErrorJson({ reason, code }: ErrorDefinition, message: string): string {
  const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "rialto", metadata: {} };
  return JSON.stringify({ code: codeFromString(code), message, details: [info] });
}
