import type { Readiness } from "@rialto/rpc";
import { isServing } from "../upstream/health-check.ts";
import type { Upstreams } from "../upstream/upstream.ts";

/**
 * How long a starting gateway waits for services that are not ready. One that stays down longer must not keep clients
 * from the others.
 */
const startMsMaxDefault = 60_000;

/**
 * Decides when the gateway is ready. At the start it waits until each service has reported ready once, so that every
 * subscriber of the first order's events is there, but no longer than a minute. From then on it is ready until it
 * stops: a service that is lost shows in `/health/services`, since all gateways lose it at once, and to take them out
 * of rotation would turn its outage into one of everything. Services are checked when readiness is read, once for all
 * concurrent reads.
 */
export function createReadiness(o: {
  readonly upstreams: Pick<Upstreams, "upstream">;
  readonly services: readonly string[];
  readonly stopping: AbortSignal;
  readonly startMsMax?: number | undefined;
}): Readiness {
  const { upstreams, stopping } = o;
  const startsUntil = performance.now() + (o.startMsMax ?? startMsMaxDefault);
  const awaited = new Set(o.services);
  const isStarting = () => awaited.size > 0 && performance.now() < startsUntil;

  async function checkAwaited(): Promise<void> {
    const checking = [...awaited].map(async (service) => {
      if (await isServing(upstreams.upstream(service), "")) awaited.delete(service);
    });
    await Promise.all(checking);
  }
  let checking: Promise<void> | undefined;
  const check = () =>
    (checking ??= checkAwaited().finally(() => {
      checking = undefined;
    }));

  return async () => {
    if (stopping.aborted) return { isStopping: true, waiting: [] };
    if (isStarting()) await check();
    const waiting = isStarting() ? [...awaited].map((service) => `service ${service}`) : [];
    return { isStopping: stopping.aborted, waiting };
  };
}
