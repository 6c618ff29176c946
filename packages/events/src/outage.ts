import type { OutageWatch } from "@rialto/async";
import { isLockedOut } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";

/**
 * Counts failures in a row, and logs once when they begin and once when they end. An outage that passes by itself is a warning; a password that the
 * server refuses is an error, as an operator must act.
 */
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
    recovered() {
      if (failures > 0) log.info({ failures }, `${what}: goes on`);
      failures = 0;
      isError = false;
    },
  };
}
