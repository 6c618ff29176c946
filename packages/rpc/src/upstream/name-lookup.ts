import { Resolver } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { dnsTriesMax, dnsTryMs } from "../limits.ts";

/** Looks up the addresses of one name. */
export interface NameLookup {
  /**
   * Returns at least one address. Rejects with the resolver's error, whose code says why: ENOTFOUND and ENODATA where
   * there is none, ESERVFAIL, ETIMEOUT and others where the resolver could not say.
   */
  addresses(): Promise<readonly string[]>;
  /** Ends the lookup in progress, which rejects. */
  cancel(): void;
}

/**
 * Creates the lookup of a name, at the given resolver or at those of the operating system. It asks DNS, and not the
 * operating system's own function: that one reads /etc/hosts too, but it uses the threads that hash passwords, and
 * waits for a resolver that is down for as long as it likes.
 *
 * The IPv6 addresses count only where there is no IPv4 address: a name with both lists each process under both.
 *
 * The resolvers of the operating system get its search domains too, so that `order` is found on Kubernetes. From the
 * first answer on only the name that was found is asked for: while it has no address, another domain must not answer
 * in its place.
 */
export function createNameLookup(name: string, resolverAddress: string | undefined): NameLookup {
  const resolver = new Resolver({ timeout: dnsTryMs, tries: dnsTriesMax });
  if (resolverAddress !== undefined) resolver.setServers([resolverAddress]);
  const candidates = searchNames(name, resolverAddress === undefined ? readResolvConf() : "");
  let found: string | undefined;
  return {
    async addresses() {
      let none: unknown;
      for (const candidate of found === undefined ? candidates : [found]) {
        try {
          const addresses = await resolve(resolver, candidate);
          found = candidate;
          return addresses;
        } catch (error) {
          if (!isNone(error)) throw error;
          none = error;
        }
      }
      throw none;
    },
    cancel: () => resolver.cancel(),
  };
}

async function resolve(resolver: Resolver, name: string): Promise<readonly string[]> {
  try {
    return await resolver.resolve4(name);
  } catch (error) {
    if (!isNone(error)) throw error;
    return await resolver.resolve6(name);
  }
}

/** Whether the resolver answered that there is no such name, or that it has no such address. */
function isNone(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOTFOUND" || error.code === "ENODATA");
}

/**
 * Returns the names to ask for in turn, as resolv.conf(5) says: a name with fewer dots than `ndots` is looked for in
 * the search domains first. One that ends with a dot is complete.
 */
export function searchNames(name: string, resolvConf: string): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const lines = resolvConf.split("\n").map((line) => line.trim().split(/\s+/));
  const last = lines.findLast(([keyword]) => keyword === "search" || keyword === "domain");
  const inDomains = (last?.slice(1, 1 + searchDomainsMax) ?? []).map(
    (domain) => `${name}.${domain.replace(/\.$/, "")}`,
  );
  const options = lines.filter(([keyword]) => keyword === "options").flat();
  const ndots = Number(options.findLast((option) => option.startsWith("ndots:"))?.slice("ndots:".length) ?? 1);
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...inDomains] : [...inDomains, name];
}

/** As many as the C library reads. */
const searchDomainsMax = 6;

function readResolvConf(): string {
  try {
    return readFileSync("/etc/resolv.conf", "utf8");
  } catch {
    // Windows has none.
    return "";
  }
}
