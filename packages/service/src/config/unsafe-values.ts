import type { Config } from "./config.ts";
import type { ConfigScope } from "./required-variables.ts";

/** A block this wide is no network of proxies: it is a large part of the Internet. */
const prefixBitsMin = { 4: 8, 6: 7 } as const;
const adminPasswordLengthMin = 12;
const adminPasswordCharactersMin = 6;
/** Passwords that stand in this repository: everybody knows them. */
const knownPasswords: ReadonlySet<string> = new Set(["rialto-on-my-machine", "a long enough password"]);

/** One line for each variable whose value is well formed and that production does not take. */
export function unsafeInProduction(config: Config, scope: ConfigScope): readonly string[] {
  const rules: readonly [variable: string, refused: boolean, why: string][] = [
    [
      "RIALTO_PUBLIC_URL",
      scope.runs.includes("notification") && !isSafePublicUrl(config.publicUrl),
      "must begin with https://: the links in mails let their reader set a new password",
    ],
    [
      "RIALTO_TRUSTED_PROXIES",
      config.trustedProxies.some(isTooWide),
      "must name the proxies' own networks: everybody in a block as wide as this could write any client address",
    ],
    [
      "RIALTO_BACKEND_ADDRESSES",
      config.backendAddresses.some(isTooWide),
      "must name the backends' own networks: a block as wide as this lifts the limits of addresses for everybody in it",
    ],
    [
      "RIALTO_ADMIN_PASSWORD",
      scope.runs.includes("user") && isWeak(config.adminPassword, config.adminEmail),
      `must be ${adminPasswordLengthMin} characters or more, ${adminPasswordCharactersMin} of them different, not the address of the account, and none from Rialto's own documents`,
    ],
    ["RIALTO_SERVICE_PUBLIC_KEYS", isKeyMissing(config), "must have the public half of RIALTO_SERVICE_KEY, by its kid"],
  ];
  return rules
    .filter(([, refused]) => refused)
    .map(([variable, , why]) => `${variable} ${why} (NODE_ENV is production)`);
}

/** In clear only where nothing leaves the machine: a trial of the production settings. */
function isSafePublicUrl(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

function isTooWide(block: string): boolean {
  const [address = "", bits] = block.split("/");
  if (bits === undefined) return false;
  if (!address.includes(":")) return Number(bits) < prefixBitsMin[4];
  // The whole of IPv4 stands in 96 bits of IPv6 under this prefix.
  const isMapped = /^(::|0{0,4}(:0{1,4}){4}:)ffff:/i.test(address);
  return isMapped ? Number(bits) < 96 + prefixBitsMin[4] : Number(bits) < prefixBitsMin[6];
}

function isWeak(password: string | undefined, email: string): boolean {
  if (password === undefined) return false;
  const small = password.toLowerCase();
  return (
    password.length < adminPasswordLengthMin ||
    new Set(small).size < adminPasswordCharactersMin ||
    knownPasswords.has(small) ||
    small.includes(email.toLowerCase())
  );
}

function isKeyMissing({ serviceKey, servicePublicKeys }: Config): boolean {
  if (serviceKey === undefined || servicePublicKeys === undefined) return false;
  return !servicePublicKeys.keys.some(({ kid, x }) => kid === serviceKey.kid && x === serviceKey.x);
}
