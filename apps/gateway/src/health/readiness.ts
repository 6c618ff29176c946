import type { Readiness } from "@rialto/rpc";
import { isServing } from "../upstream/health-check.ts";
import type { Upstreams } from "../upstream/upstream.ts";

/**
 * How long a gateway that starts waits for services that are not ready: one that is down for longer keeps nobody from
 * the others.
 */
const startMsMaxDefault = 60_000;

/**
 * When the gateway takes requests. At first it waits until each service has once said that it is ready, so that what
 * the first order sets in motion finds all who are to hear of it. From then on, or a minute later, it is enough that
 * one service can be reached: one that is down is no reason to take the door away. Who is awaited is asked when the
 * gateway is asked, once for all who ask at the same time.
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

  async function callAll(asked: Iterable<string>): Promise<void> {
    const asking = [...asked].map(async (service) => {
      if (await isServing(upstreams.upstream(service), "")) awaited.delete(service);
    });
    await Promise.all(asking);
  }
  let asking: Promise<void> | undefined;
  const ask = (asked: Iterable<string>) =>
    (asking ??= callAll(asked).finally(() => {
      asking = undefined;
    }));

  return async () => {
    if (stopping.aborted) return { isStopping: true, waiting: [] };
    const isStarting = () => awaited.size > 0 && performance.now() < startsUntil;
    if (isStarting()) {
      await ask(awaited);
      if (isStarting()) return { isStopping: stopping.aborted, waiting: [...awaited].map((name) => `service ${name}`) };
    }
    // Where none can be reached no request may come any more to find out that one is back.
    if (!services.some(isReachable)) await ask(services);
    return { isStopping: stopping.aborted, waiting: services.some(isReachable) ? [] : ["any service"] };
  };
}
