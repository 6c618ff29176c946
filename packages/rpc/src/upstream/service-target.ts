import { isIP } from "node:net";

/** Where the replicas of a service are, as one URL of the configuration says it. */
export type ServiceTarget =
  /** One replica. The operating system looks its host up, whenever a connection is made. */
  | { readonly kind: "address"; readonly url: string }
  /** A name whose addresses are watched: each of them is a replica. */
  | {
      readonly kind: "name";
      readonly name: string;
      /** The URL of any of them, by the name: it is what they are called in requests and in certificates. */
      readonly url: string;
      /** The address of the resolver that is asked, with its port; that of the operating system where undefined. */
      readonly resolver: string | undefined;
    };

/** The schemes of watched names, and what replicas behind them speak. */
const schemesOfNames: ReadonlyMap<string, "http" | "https"> = new Map([
  ["dns:", "http"],
  ["dns+https:", "https"],
]);

/**
 * Reads the URL of a service: `http://10.0.0.7:8083` for one replica, `dns:///order:8083` for a name whose addresses
 * are watched, `dns+https:///order:8083` where they speak TLS. As in gRPC, the authority names the resolver, by its
 * address: `dns://10.0.0.10:53/order:8083`. Returns undefined for text that is none of these.
 */
export function parseServiceUrl(text: string): ServiceTarget | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || /[?#]/.test(text)) return undefined;
  // A URL of HTTP is valid without its slashes, which is a slip here.
  if (/^https?:\/\//.test(text)) return { kind: "address", url: text };
  const protocol = schemesOfNames.get(url.protocol);
  if (protocol === undefined || !text.startsWith(`${url.protocol}//`)) return undefined;
  const { name, port } = /^\/(?<name>[^/:]+):(?<port>\d{1,5})$/.exec(url.pathname)?.groups ?? {};
  if (name === undefined || !isHostName(name) || !isPort(port)) return undefined;
  if (url.host !== "" && !isResolver(url)) return undefined;
  const resolver = url.host === "" ? undefined : url.host;
  // The dot at the end says that the name is complete. It belongs neither in a Host header nor in a certificate.
  return { kind: "name", name, url: `${protocol}://${name.replace(/\.$/, "")}:${port}`, resolver };
}

function isHostName(name: string): boolean {
  const labels = name.replace(/\.$/, "").split(".");
  return name.length <= 253 && isIP(name) === 0 && labels.every((label) => /^[\w-]{1,63}$/.test(label));
}

function isPort(port: string | undefined): boolean {
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function isResolver({ hostname, port }: URL): boolean {
  return isIP(hostname.replace(/^\[(.*)\]$/, "$1")) !== 0 && (port === "" || isPort(port));
}
