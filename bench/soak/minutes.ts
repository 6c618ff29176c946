import type { TableSize } from "../measure/table-sizes.ts";

/** What a minute was like, and how the tables stood at its end. */
export interface Minute {
  readonly minute: number;
  readonly confirmed: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly walBytes: number;
  readonly tables: readonly TableSize[];
}

/** Tables whose rows leave as fast as they come. */
const swept = [
  "order.outbox",
  "order.batch",
  "order.delivery",
  "order.inbox",
  "order.idempotency",
  "payment.outbox",
  "payment.batch",
  "payment.delivery",
  "notification.inbox",
] as const;
/** A minute's end is at any point between two sweeps, and Postgres gives freed pages back in its own time. */
const growthMax = 2;
const p99FactorMax = 2;
/** Less than this is a few pages more or less. */
const bytesMin = 4 * 2 ** 20;

const kib = (bytes: number) => `${Math.round(bytes / 1_024)} KiB`;

/** The line of a minute, and below it how each table stands that is swept. */
export function minuteText(minute: Minute): string {
  const { confirmed, failed, p50Ms, p99Ms, walBytes, tables } = minute;
  const wal = confirmed === 0 ? "-" : kib(walBytes / confirmed);
  const head = `minute ${minute.minute}: ${confirmed} confirmed, ${failed} failed, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${wal} of WAL an order`;
  const lines = tables
    .filter(({ table }) => isSwept(table))
    .map(
      ({ table, rows, deadRows, tableBytes, indexBytes }) =>
        `  ${table}: ${rows} rows, ${deadRows} dead, ${kib(tableBytes)}, indexes ${kib(indexBytes)}`,
    );
  return [head, ...lines].join("\n");
}

/** A table in Markdown: the rows and bytes that a confirmed order adds to each table, before anything is swept. */
export function perOrderText(tables: readonly TableSize[], confirmed: number): string {
  const rows = tables
    .filter(({ inserted }) => inserted >= confirmed / 100)
    .map(({ table, rows, inserted, tableBytes, indexBytes }) => {
      const rowBytes = rows === 0 ? 0 : Math.round(tableBytes / rows);
      const indexRowBytes = rows === 0 ? 0 : Math.round(indexBytes / rows);
      return `| ${table} | ${(inserted / confirmed).toFixed(2)} | ${rowBytes} | ${indexRowBytes} |`;
    });
  return ["| table | rows an order | bytes a row | of indexes |", "|---|---|---|---|", ...rows].join("\n");
}

/** Whether sizes and p99 of the last third are those of the second, or a little more. Says what is not. */
export function isSteady(minutes: readonly Minute[], print: (line: string) => void): boolean {
  const third = Math.floor(minutes.length / 3);
  if (third === 0) return true;
  const [middle, last] = [minutes.slice(third, 2 * third), minutes.slice(-third)];
  const faults: string[] = [];
  for (const table of swept) {
    const largest = (part: readonly Minute[]) => Math.max(...part.map((minute) => bytesOf(minute, table)));
    if (largest(last) > Math.max(bytesMin, largest(middle) * growthMax))
      faults.push(`${table} has grown from ${kib(largest(middle))} to ${kib(largest(last))}`);
  }
  const p99 = (part: readonly Minute[]) => Math.max(...part.map(({ p99Ms }) => p99Ms));
  if (p99(last) > p99(middle) * p99FactorMax)
    faults.push(`p99 has grown from ${p99(middle).toFixed(1)} to ${p99(last).toFixed(1)} ms`);
  for (const fault of faults) print(fault);
  return faults.length === 0;
}

function isSwept(table: string): boolean {
  return (swept as readonly string[]).includes(table);
}

function bytesOf({ tables }: Minute, name: string): number {
  const found = tables.find(({ table }) => table === name);
  return found === undefined ? 0 : found.tableBytes + found.indexBytes;
}
