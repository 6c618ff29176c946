import { createLogger } from "@rialto/telemetry";

/** A logger that says nothing, so that a run shows its tests; RIALTO_TEST_LOG=debug makes it talk. */
export const quietLogger = createLogger({ service: "test", level: process.env.RIALTO_TEST_LOG ?? "silent" });
