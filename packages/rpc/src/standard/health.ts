import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { sleep } from "@rialto/async";
import { health } from "@rialto/contracts/grpc";
import { healthWatchMs } from "../limits.ts";

/** Whether a process accepts work, and what it waits for, in plain words, where it does not yet. */
export interface ReadyState {
  readonly isStopping: boolean;
  readonly waiting: readonly string[];
}

/** Returns whether a process accepts work. Never rejects. Every probe calls it, so expensive checks are shared. */
export type Readiness = () => Promise<ReadyState>;

/** Whether work may be sent to the process. */
export function isReady({ isStopping, waiting }: ReadyState): boolean {
  return !isStopping && waiting.length === 0;
}

/** Returns the health of a service; undefined for a name that is not served. The empty name is the process itself. */
export type HealthOf = (service: string) => Promise<"SERVING" | "NOT_SERVING" | undefined>;

type Status = health.HealthCheckResponse_ServingStatus;
const Status = health.HealthCheckResponse_ServingStatus;

/** Creates gRPC's health service, by which load balancers and probes check whether a process is to get calls. */
export function createHealth(
  names: readonly string[],
  healthOf: HealthOf,
  closing: AbortSignal,
): ServiceImpl<typeof health.Health> {
  const statusOf = async (name: string): Promise<Status | undefined> => {
    const found = closing.aborted ? "NOT_SERVING" : await healthOf(name);
    return found === undefined ? undefined : Status[found];
  };
  return {
    async check({ service }) {
      const status = await statusOf(service);
      if (status === undefined) throw new ConnectError("There is no such service.", Code.NotFound);
      return { status };
    },
    async list() {
      const all = ["", ...names].map(async (name) => [name, { status: (await statusOf(name)) ?? Status.UNKNOWN }]);
      return { statuses: Object.fromEntries(await Promise.all(all)) };
    },
    async *watch({ service }, { signal }) {
      const ended = AbortSignal.any([signal, closing]);
      let last: Status | undefined;
      while (!signal.aborted) {
        const status = (await statusOf(service)) ?? Status.SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        last = status;
        if (ended.aborted) return;
        await sleep(healthWatchMs, { signal: ended });
      }
    },
  };
}
