import { serviceNames as services } from "@rialto/service";
import { seriesOf, sumOf } from "../metric-series.ts";
import type { Moment, ProcessState } from "./moment.ts";

/** What docs/operate.md says of an outage, as something that the moments of one show or do not. */
export interface Statement {
  readonly text: string;
  /** Returns what contradicts it; nothing where it held. */
  readonly faults: (moments: readonly Moment[]) => readonly string[];
}

/** How long a gauge that is read from the database or the queue is shown. */
const readingSeconds = 15;
/** The deadline of an order, and as much again until a moment has counted its answer. */
const underWaySeconds = 10;
/** An outage that is shorter shows nothing of what gauges say that are read so seldom. */
export const longSeconds = 2 * readingSeconds;

/** Statements about any outage of a part that all processes share. */
const always: readonly Statement[] = [
  {
    text: "/health is 200 in every process at every moment",
    faults: (moments) => atEach(moments, (one) => (one.live === 200 ? undefined : `/health is ${one.live}`)),
  },
  {
    text: "the gateway's /ready is 200 at every moment",
    faults: (moments) =>
      atEach(moments, (one) => (one.name !== "gateway" || one.ready === 200 ? undefined : `/ready is ${one.ready}`)),
  },
  {
    text: "orders are answered with 200, 503 or 504",
    faults: (moments) =>
      moments.flatMap((moment) => moment.orders.others.map((answer) => `${when(moment)}: ${answer}`)),
  },
  {
    text: "afterwards /ready is 200 and /health/services ok in every process, without a restart",
    faults: (moments) => atEach(moments.slice(-1), (one) => (isWell(one) ? undefined : told(one))),
  },
];

/** What is said while Postgres is away. */
export const postgresStatements: readonly Statement[] = [
  ...always,
  {
    text: "/ready of each service is 503 and names its database, from its first such answer on",
    faults: (moments) => services.flatMap((name) => whileAway(moments, name, isWithoutDatabase)),
  },
  {
    text: "rialto_ready of each service is 0 or left out, from its first such value on",
    faults: (moments) =>
      services.flatMap((name) => whileAway(moments, name, ({ series }) => gauge(series, "rialto_ready") !== 1)),
  },
  {
    text: "no order is accepted, from the first refused one on",
    faults: (moments) =>
      afterFirst(
        away(moments),
        ({ orders }) => orders.refused > 0,
        ({ orders }) => orders.accepted === 0,
      ),
  },
  {
    text: "no order is answered with 504 once those are answered whose commit was under way",
    faults: (moments) =>
      away(moments)
        .filter(({ second, orders }) => second > underWaySeconds && orders.late > 0)
        .map((moment) => `${when(moment)}: ${moment.orders.late}`),
  },
  {
    text: "http_server_request_duration_seconds_count has each refused order under 503",
    faults: (moments) => {
      const refused = moments.reduce((sum, { orders }) => sum + orders.refused, 0);
      const counted = grown(moments, "gateway", "http_server_request_duration_seconds_count", {
        http_route: "/api/orders",
        http_response_status_code: "503",
      });
      return counted >= refused && refused > 0 ? [] : [`${counted} counted, ${refused} answered`];
    },
  },
  {
    text: "rpc_server_call_duration_seconds_count grows under unavailable in the services",
    faults: (moments) => {
      const counted = services.map((name) =>
        grown(moments, name, "rpc_server_call_duration_seconds_count", { rpc_response_status_code: "unavailable" }),
      );
      return counted.some((count) => count > 0) ? [] : ["no service counted one"];
    },
  },
  {
    text: "rialto_outbox_lag is left out once its last reading is 15 s old",
    faults: (moments) =>
      away(moments)
        .filter(({ second }) => second > readingSeconds + 2)
        .filter((moment) => seriesOf(stateOf(moment, "order").series, "rialto_outbox_lag").length > 0)
        .map((moment) => `${when(moment)}: it is there`),
  },
];

/** What is said while Redis is away. */
export const redisStatements: readonly Statement[] = [
  ...always,
  {
    text: "no order is answered with 504",
    faults: (moments) => moments.filter(({ orders }) => orders.late > 0).map(when),
  },
  {
    text: "/ready is 200 in every process at every moment, unless its database is late",
    faults: (moments) => atEach(moments, (one) => (isReadyButForDatabase(one) ? undefined : told(one))),
  },
  {
    text: "/health/services of each service is degraded, its jobs unreachable, from its first such answer on",
    faults: (moments) => services.flatMap((name) => whileAway(moments, name, isWithoutQueue)),
  },
  {
    text: "rialto_queue_reachable of each service is 0, from its first 0 on",
    faults: (moments) =>
      services.flatMap((name) =>
        whileAway(moments, name, ({ series }) => gauge(series, "rialto_queue_reachable") === 0),
      ),
  },
  {
    text: "/health/services of the gateway is degraded: it counts requests by itself, as rialto_rate_limits_local says",
    faults: (moments) => whileAway(moments, "gateway", isCountingAlone),
  },
  {
    text: "rialto_outbox_lag shows that events wait, and is 0 again afterwards",
    faults: (moments) => {
      if (!isLong(moments)) return [];
      const waited = moments.some((moment) => lagOf(moment) > 0);
      const last = moments.at(-1);
      const left = last === undefined ? Number.NaN : lagOf(last);
      return [...(waited ? [] : ["it was 0 all the time"]), ...(left === 0 ? [] : [`it is ${left} at the end`])];
    },
  },
  {
    text: "orders are accepted for 5 s, then nearly all are shed, as rialto_orders_shed_total counts",
    faults: (moments) => {
      if (!isLong(moments)) return [];
      const late = away(moments).filter(({ second }) => second > 10);
      const accepted = late.reduce((sum, { orders }) => sum + orders.accepted, 0);
      const refused = late.reduce((sum, { orders }) => sum + orders.refused, 0);
      const shed = grown(moments, "order", "rialto_orders_shed_total", {});
      return [
        ...(accepted < refused / 4 ? [] : [`${accepted} accepted and ${refused} refused after 10 s`]),
        ...(shed >= refused ? [] : [`${shed} counted, ${refused} refused`]),
      ];
    },
  },
];

/** Whether all that is to be seen while a part is away was seen by now. */
export function isSeen(what: "postgres" | "redis", { processes, orders }: Moment): boolean {
  if (what === "postgres")
    return orders.refused > 0 && processes.every((one) => one.name === "gateway" || isWithoutDatabase(one));
  return processes.every((one) => (one.name === "gateway" ? isCountingAlone(one) : isWithoutQueue(one)));
}

/** Whether all processes are as before, and nothing waits. */
export function isOver(moment: Moment): boolean {
  return moment.processes.every(isWell) && lagOf(moment) === 0;
}

/** The events that wait in the outboxes of all services; NaN where the order service cannot read its own. */
export function lagOf({ processes }: Moment): number {
  const series = processes.flatMap((one) => seriesOf(one.series, "rialto_outbox_lag"));
  return series.some(({ labels }) => labels.service === "order") ? sumOf(series, "rialto_outbox_lag") : Number.NaN;
}

/** Whether a process is ready, nothing of it degraded. */
export function isWell({ ready, parts, series }: ProcessState): boolean {
  return ready === 200 && parts.status === "ok" && (gauge(series, "rialto_ready") ?? 1) === 1;
}

function isWithoutDatabase({ name, ready, waiting }: ProcessState): boolean {
  return ready === 503 && waiting.includes(`answer of the database of ${name}`);
}

/** On a machine that is busy enough, Postgres takes longer than a second to answer. */
function isReadyButForDatabase({ ready, waiting }: ProcessState): boolean {
  return ready === 200 || (ready === 503 && waiting.every((one) => one.startsWith("answer of the database")));
}

function isWithoutQueue({ parts, series }: ProcessState): boolean {
  return parts.status === "degraded" && parts.jobs === "unreachable" && gauge(series, "rialto_queue_reachable") === 0;
}

function isCountingAlone({ parts, series }: ProcessState): boolean {
  return (
    parts.status === "degraded" &&
    parts.rateLimits === "local-fallback" &&
    gauge(series, "rialto_rate_limits_local") === 1
  );
}

function gauge(series: ProcessState["series"], name: string): number | undefined {
  return seriesOf(series, name)[0]?.value;
}

function told({ ready, waiting, parts }: ProcessState): string {
  return `/ready is ${ready} ${waiting.join(", ")}, /health/services ${JSON.stringify(parts)}`;
}

const away = (moments: readonly Moment[]) => moments.filter(({ phase }) => phase === "away");
const when = ({ phase, second }: Moment) => `${phase} ${second} s`;
const isLong = (moments: readonly Moment[]) => (away(moments).at(-1)?.second ?? 0) >= longSeconds;

function stateOf({ processes }: Moment, name: string): ProcessState {
  const found = processes.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no process ${name}`);
  return found;
}

function atEach(moments: readonly Moment[], faultOf: (state: ProcessState) => string | undefined): readonly string[] {
  return moments.flatMap((moment) =>
    moment.processes.flatMap((state) => {
      const fault = faultOf(state);
      return fault === undefined ? [] : [`${when(moment)}: ${state.name}: ${fault}`];
    }),
  );
}

/** It is said at some moment of the outage, and at each one after that until the part is back. */
function whileAway(
  moments: readonly Moment[],
  name: string,
  isSaid: (state: ProcessState) => boolean,
): readonly string[] {
  const said = (moment: Moment) => isSaid(stateOf(moment, name));
  return afterFirst(away(moments), said, said).map((fault) => `${name}: ${fault}`);
}

function afterFirst(
  moments: readonly Moment[],
  isFirst: (moment: Moment) => boolean,
  holds: (moment: Moment) => boolean,
): readonly string[] {
  const first = moments.findIndex(isFirst);
  if (first === -1) return ["it was never so"];
  return moments
    .slice(first + 1)
    .filter((moment) => !holds(moment))
    .map((moment) => `${when(moment)}: not so`);
}

/** How much a counter of a process grew from the first to the last moment. */
function grown(
  moments: readonly Moment[],
  process: string,
  metric: string,
  labels: Readonly<Record<string, string>>,
): number {
  const [first, last] = [moments[0], moments.at(-1)];
  if (first === undefined || last === undefined) return 0;
  const at = (moment: Moment) => sumOf(stateOf(moment, process).series, metric, labels);
  return at(last) - at(first);
}
