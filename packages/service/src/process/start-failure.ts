import {
  DatabaseUnreachable,
  ForeignSchema,
  isOutage,
  MigrationBlocked,
  MigrationsDiffer,
  ProvisioningBlocked,
  RoleOfAnother,
  TooOldCode,
  TooOldPostgres,
  whyUnreachable,
} from "@rialto/database";
import { ConfigurationError } from "../config/variable.ts";

/** Errors whose message is written for the person who starts the process. */
const userFacingErrors = [
  TooOldPostgres,
  TooOldCode,
  MigrationBlocked,
  MigrationsDiffer,
  ForeignSchema,
  RoleOfAnother,
  ProvisioningBlocked,
];

/** Error codes of a file or folder that cannot be created. */
const unwritable: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOSPC", "EEXIST"]);

/**
 * Explains why a process could not start, one line for each thing to correct. An error that we do not expect is a
 * defect: its stack is returned.
 */
export function explainStartFailure(error: unknown): readonly string[] {
  if (error instanceof ConfigurationError) return error.lines;
  if (error instanceof DatabaseUnreachable) return [`DATABASE_URL: ${error.message}`];
  if (!(error instanceof Error)) return [String(error)];
  if (userFacingErrors.some((kind) => error instanceof kind)) return [error.message];
  const reason = whyUnreachable(error);
  if (reason !== undefined) return [`A database cannot be used: ${reason}`];
  if ("code" in error && "path" in error && unwritable.has(String(error.code)))
    return [
      `${error.path} cannot be created or written (${error.code}): set RIALTO_DATA_DIR to a folder that this user may write`,
    ];
  if ("code" in error && isOutage(error))
    return [`A database or Redis cannot be used (${error.code}): check the URLs that the environment names.`];
  if ("code" in error && "port" in error) {
    if (error.code === "EADDRINUSE")
      return [
        `Port ${error.port} is in use, perhaps by another Rialto. Stop what uses it, or set PORT to another one.`,
      ];
    if (error.code === "EADDRNOTAVAIL")
      return ["RIALTO_HOST names an address that this machine does not have. Set it to one of its own, or to 0.0.0.0."];
    if (error.code === "EACCES")
      return [`Port ${error.port} may not be opened by this user. Set PORT to one above 1023.`];
  }
  return [error.stack ?? error.message];
}
