import { DatabaseUnreachable, DataFolderInUse, TooOldPostgres } from "@rialto/database";
import { ConfigurationError } from "./configuration-error.ts";

/**
 * Says why a process could not start, a line for each thing to put right. What we know how to put right is said in words; anything else
 * is a defect of ours, and its stack is what will find it.
 */
export function explainStartFailure(error: unknown): readonly string[] {
  if (error instanceof ConfigurationError) return error.lines;
  if (error instanceof TooOldPostgres || error instanceof DatabaseUnreachable || error instanceof DataFolderInUse)
    return [error.message];
  if (!(error instanceof Error)) return [String(error)];
  if ("code" in error && "port" in error) {
    if (error.code === "EADDRINUSE")
      return [
        `Port ${error.port} is in use, perhaps by another Rialto. Stop what uses it, or set PORT to another one.`,
      ];
    if (error.code === "EACCES")
      return [`Port ${error.port} may not be opened by this user. Set PORT to one above 1023.`];
  }
  return [error.stack ?? error.message];
}
