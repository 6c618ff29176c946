import { isLockedOut } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";

/**
 * Counts failures in a row and says so in the log once when they begin and once when they are over. What goes by itself is a warning; a password that the
 * server does not take any more is an error, as a person must act.
 */
export interface OutageWatch {
  /** Returns how many there were in a row, this one included. */
  failed(error: unknown): number;
  over(): void;
}

export function watchOutage(log: Logger, what: string): OutageWatch {
  let failures = 0;
  let isError = false;
  return {
    failed(error) {
      failures += 1;
      if (failures === 1 || (!isError && isLockedOut(error))) {
        isError = isLockedOut(error);
        if (isError) log.error({ err: error }, `${what}: Postgres refuses the password or the role, trying again`);
        else log.warn({ err: error }, `${what}: something it needs is down, trying again`);
      }
      return failures;
    },
    over() {
      if (failures > 0) log.info({ failures }, `${what}: goes on`);
      failures = 0;
      isError = false;
    },
  };
}
