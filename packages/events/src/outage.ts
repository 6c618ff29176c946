import type { OutageWatch } from "@rialto/async";
import { isLockedOut } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";

/**
 * Counts failures in a row, and logs once when they begin and once when they end. An outage that passes by itself is a
 * warning; a password that the server refuses is an error, as an operator must act.
 */
export function watchOutage(log: Logger, what: string): OutageWatch {
  let failures = 0;
  let isError = false;
  return {
    failed(error) {
      failures += 1;
      if (failures === 1 || (!isError && isLockedOut(error))) {
        isError = isLockedOut(error);
        if (isError) log.error({ err: error }, `${what}: Postgres refused the password or the role, retrying`);
        else log.warn({ err: error }, `${what}: a dependency is down, retrying`);
      }
      return failures;
    },
    recovered() {
      if (failures > 0) log.info({ failures }, `${what} resumed`);
      failures = 0;
      isError = false;
    },
  };
}
