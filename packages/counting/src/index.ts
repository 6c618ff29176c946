export { aboveBounds, type CallCounts, countPerCall, printCounts } from "./call-counts.ts";
export { keptBytesPerCall } from "./kept-bytes.ts";
export { openRawCaller, type RawCaller } from "./raw-caller.ts";
