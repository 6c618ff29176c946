import type { Announcement, Config } from "@rialto/service";

/** What the person at the terminal reads when everything runs: where it is, who the admin is, and the way to a first order. */
export function readyText(o: {
  readonly port: number;
  readonly config: Config;
  readonly announcements: readonly Announcement[];
  /** Where the log goes, where that is a file. */
  readonly logFile: string | undefined;
}): string {
  const url = `http://localhost:${o.port}`;
  const facts: readonly (readonly [name: string, value: string])[] = [
    ["Admin", adminOf(o.config, o.announcements)],
    [
      "Mail",
      o.config.smtpUrl === undefined ? `${o.config.mailOutboxDir} (a file for each message)` : "goes out by SMTP_URL",
    ],
    ["Data", o.config.databaseUrl === undefined ? o.config.dataDir : "in the Postgres of DATABASE_URL"],
    ...(o.logFile === undefined ? [] : [["Log", o.logFile] as const]),
    ["Stop", "Ctrl-C"],
  ];
  return [
    `Rialto is ready on ${url}`,
    "",
    ...facts.map(([name, value]) => `  ${name.padEnd(6)} ${value}`),
    "",
    "Your first order, from another terminal:",
    "",
    firstOrder(url, o.config),
    "",
  ].join("\n");
}

function adminOf(config: Config, announcements: readonly Announcement[]): string {
  const created = announcements.find((announcement) => announcement.kind === "admin-created");
  if (created?.password !== undefined) return `${created.email}, password ${created.password} (shown only this once)`;
  const email = created?.email ?? config.adminEmail;
  if (config.adminPassword !== undefined) return `${email}, password as in RIALTO_ADMIN_PASSWORD`;
  return `${email}, with the password that the first start showed`;
}

/** The way to a first order, to be pasted as it stands: plain curl, grep and cut, as they are on every machine. */
function firstOrder(url: string, config: Config): string {
  const mail =
    config.smtpUrl === undefined
      ? `\n\ncat $(grep -l "$ORDER" ${shellWord(config.mailOutboxDir)}/*.eml)   # the mail about it`
      : "";
  return `RIALTO=${url}

curl -s $RIALTO/api/users -H 'content-type: application/json' \\
  -d '{"email": "ada@example.com", "name": "Ada", "password": "a long enough password"}'

TOKEN=$(curl -s $RIALTO/api/auth/login -H 'content-type: application/json' \\
  -d '{"email": "ada@example.com", "password": "a long enough password"}' | grep -o '"accessToken":"[^"]*"' | cut -d'"' -f4)

PRODUCT=$(curl -s "$RIALTO/api/products?pageSize=1" | grep -o '"id":"[^"]*"' | head -n 1 | cut -d'"' -f4)

ORDER=$(curl -s $RIALTO/api/orders -H 'content-type: application/json' -H "authorization: Bearer $TOKEN" \\
  -d "{\\"items\\": [{\\"productId\\": \\"$PRODUCT\\", \\"quantity\\": 1}], \\"paymentMethod\\": \\"pm_test_approved\\"}" \\
  | grep -o '"id":"[^"]*"' | head -n 1 | cut -d'"' -f4)

sleep 2; curl -s $RIALTO/api/orders/$ORDER -H "authorization: Bearer $TOKEN"   # CONFIRMED${mail}`;
}

/** A path as one word of a shell's line. */
function shellWord(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
