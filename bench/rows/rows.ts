import { coldStartRow } from "./cold-start.ts";
import { dbosSweepRow } from "./dbos-sweep.ts";
import { gatewayRow } from "./gateway.ts";
import { inProcessRow } from "./in-process.ts";
import { memoryRow } from "./memory.ts";
import { orderLatencyRow } from "./order-latency.ts";
import { orderOverloadRow } from "./order-overload.ts";
import { orderRateRows } from "./order-rates.ts";
import { pairRows } from "./pair.ts";
import type { Row } from "./row.ts";
import { grpcBareRow, rpcBareRows } from "./rpc-bare.ts";
import { rpcServiceRows } from "./rpc-service.ts";
import { shopRows } from "./shop.ts";
import { tracingRow } from "./tracing.ts";

/** Every row, in the order of the table. */
export const rows: readonly Row[] = [
  ...rpcBareRows,
  ...rpcServiceRows,
  grpcBareRow,
  ...pairRows,
  inProcessRow,
  gatewayRow,
  ...shopRows,
  ...orderRateRows,
  tracingRow,
  orderLatencyRow,
  orderOverloadRow,
  dbosSweepRow,
  coldStartRow,
  memoryRow,
];
