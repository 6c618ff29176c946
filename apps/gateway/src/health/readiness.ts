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
 * subscriber of the first order's events is there. From then on, or after one minute, one reachable service is enough:
 * a service that is down is no reason to take the gateway out of rotation. Services are checked when readiness is read,
 * once for all concurrent reads.
 */
export function createReadiness(o: {
  readonly upstreams: Pick<Upstreams, "upstream">;
  readonly services: readonly string[];
  readonly stopping: AbortSignal;
  readonly startMsMax?: number | undefined;
}): Readiness {
  const { upstreams, services, stopping } = o;
  const startsUntil = performance.now() + (o.startMsMax ?? startMsMaxDefault);
  const awaited = new Set(services);
  const isReachable = (service: string) =>
    upstreams
      .upstream(service)
      .status()
      .some(({ breaker }) => breaker !== "open");

  async function checkAll(names: Iterable<string>): Promise<void> {
    const checking = [...names].map(async (service) => {
      if (await isServing(upstreams.upstream(service), "")) awaited.delete(service);
    });
    await Promise.all(checking);
  }
  let checking: Promise<void> | undefined;
  const check = (names: Iterable<string>) =>
    (checking ??= checkAll(names).finally(() => {
      checking = undefined;
    }));

  return async () => {
    if (stopping.aborted) return { isStopping: true, waiting: [] };
    const isStarting = () => awaited.size > 0 && performance.now() < startsUntil;
    if (isStarting()) {
      await check(awaited);
      if (isStarting()) return { isStopping: stopping.aborted, waiting: [...awaited].map((name) => `service ${name}`) };
    }
    // While no service is reachable no request may arrive that would find one back, so they are checked here.
    if (!services.some(isReachable)) await check(services);
    return { isStopping: stopping.aborted, waiting: services.some(isReachable) ? [] : ["any service"] };
  };
}
