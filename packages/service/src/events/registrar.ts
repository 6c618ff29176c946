import { setTimeout as sleep } from "node:timers/promises";
import { RegistrationService } from "@rialto/contracts";
import type { Subscription } from "@rialto/events";
import { isUnavailable, workOrigin } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import type { ClientFactory } from "../clients.ts";
import type { ServiceName } from "../service-name.ts";
import { type Registration, registrationsOf } from "./registration.ts";

const retryDelayMsMin = 200;
const retryDelayMsMax = 5_000;

/** Registers the subscriptions of one service, and knows which of them are still to be registered. */
export interface Registrar {
  /** Those that no publisher has taken yet since this process started. */
  waiting(): readonly Registration[];
  /** Registers with the publishers that run in this process. Rejects where one refuses: one that publishes nothing knows no such call. */
  registerHere(): Promise<void>;
  /**
   * Registers with the publishers elsewhere, each again and again until it answers: it may start later than its subscriber, or wait for
   * this process in turn. Until then nothing waits for the subscription there, unless it was registered in an earlier life. Ends, undone,
   * when the signal aborts.
   */
  registerElsewhere(signal: AbortSignal): void;
}

/** Makes the registrar of a service. Nothing is registered before it is told to. */
export function createRegistrar(o: {
  readonly service: ServiceName;
  readonly subscriptions: readonly Subscription[];
  readonly runsHere: readonly ServiceName[];
  readonly clients: Pick<ClientFactory, "of">;
  readonly log: Logger;
}): Registrar {
  const { service, runsHere, clients, log } = o;
  const waiting = new Set(o.subscriptions.flatMap(registrationsOf));
  const isHere = ({ publisher }: Registration) => runsHere.includes(publisher);

  async function register(registration: Registration, signal?: AbortSignal): Promise<void> {
    const { subscription, publisher, topics } = registration;
    const client = clients.of(RegistrationService, service, publisher);
    await client.registerSubscription(
      { subscription, topics: [...topics] },
      workOrigin(signal === undefined ? {} : { signal }),
    );
    waiting.delete(registration);
  }

  async function registerUntilDone(registration: Registration, signal: AbortSignal): Promise<void> {
    const { subscription, publisher } = registration;
    for (let delayMsMax = retryDelayMsMin; !signal.aborted; delayMsMax = Math.min(delayMsMax * 2, retryDelayMsMax)) {
      try {
        await register(registration, signal);
        log.info({ subscription, publisher }, "subscription registered");
        return;
      } catch (error) {
        if (signal.aborted) return;
        // A publisher that comes up a little later is nothing to tell of.
        const level = delayMsMax < retryDelayMsMax && isUnavailable(error) ? "debug" : "warn";
        log[level]({ subscription, publisher, err: error }, "subscription not registered yet, trying again");
        await sleep(retryDelayMsMin + Math.random() * delayMsMax, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  return {
    waiting: () => [...waiting],
    async registerHere() {
      for (const registration of [...waiting].filter(isHere)) await register(registration);
    },
    registerElsewhere(signal) {
      for (const registration of waiting) if (!isHere(registration)) void registerUntilDone(registration, signal);
    },
  };
}
