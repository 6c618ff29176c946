import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "@rialto/contracts";
import { CommandFailure, exitCodeOf } from "./exit-codes.ts";

/** What failed, for a person and for a script. */
export interface FailureReport {
  readonly exitCode: number;
  readonly text: string;
  readonly json: object;
}

/** Describes an error of a command. One that is not expected is a defect: its stack is the text. */
export function reportFailure(error: unknown): FailureReport {
  const exitCode = exitCodeOf(error);
  if (error instanceof CommandFailure) return { exitCode, text: error.message, json: { message: error.message } };
  if (!(error instanceof ConnectError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { exitCode, text, json: { message: text } };
  }
  const code = codeName(error.code);
  const [info] = error.findDetails(ErrorInfoSchema);
  const violations = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
  const fields = violations.map(({ field, description }) => ({ field, description }));
  const { metadata = {}, reason } = info ?? {};
  const lines = [
    `${[code, reason].filter((word) => word !== undefined).join(" ")}: ${error.rawMessage}`,
    ...fields.map(({ field, description }) => `  ${field}: ${description}`),
    ...Object.entries(metadata).map(([name, value]) => `  ${name}: ${value}`),
  ];
  const json = { code, ...(reason === undefined ? {} : { reason, metadata }), message: error.rawMessage, fields };
  return { exitCode, text: lines.join("\n"), json };
}

/** NOT_FOUND, as gRPC writes it. */
function codeName(code: Code): string {
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
