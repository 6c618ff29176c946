import { createLogger } from "@rialto/telemetry";

export const quietLog = createLogger({ service: "test", level: "silent" });
