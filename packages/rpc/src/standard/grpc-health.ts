import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { sleep } from "@rialto/async";
import { health } from "@rialto/contracts/grpc";
import { healthWatchMs } from "../limits.ts";

/** How a service is: undefined for a name that nobody serves; empty is whoever is asked. */
export type HealthOf = (service: string) => Promise<"SERVING" | "NOT_SERVING" | undefined>;

type Status = health.HealthCheckResponse_ServingStatus;
const Status = health.HealthCheckResponse_ServingStatus;

/** gRPC's health service: whoever checks whether a process is to be sent calls asks here, by whatever its platform brings along. */
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
