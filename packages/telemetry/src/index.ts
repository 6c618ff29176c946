export { createLogger, type Logger } from "./logger.ts";
export { continueTrace, type Trace } from "./trace.ts";
