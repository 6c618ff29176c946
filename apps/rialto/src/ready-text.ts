import { gatewayVariables } from "@rialto/gateway/config";
import { mailFolder, notificationVariables } from "@rialto/notification/config";
import { type StartupNotice, startupNoticeText } from "@rialto/service";
import type { Config } from "@rialto/service/config";

/** Returns the text at the terminal once everything runs: URL, admin account, and the commands of a first order. */
export function readyText(o: {
  readonly port: number;
  readonly config: Config;
  readonly startupNotices: readonly StartupNotice[];
  /** The path of the log, if it goes to a file. */
  readonly logFile: string | undefined;
}): string {
  const { tlsCertFile } = o.config.read(gatewayVariables);
  const { smtpUrl } = o.config.read(notificationVariables);
  const folder = smtpUrl === undefined ? mailFolder(o.config) : undefined;
  const url = `${tlsCertFile === undefined ? "http" : "https"}://localhost:${o.port}`;
  const facts: readonly (readonly [name: string, value: string])[] = [
    ["Admin", adminOf(o.startupNotices)],
    ["Mail", folder === undefined ? "goes out by SMTP_URL" : `${folder} (a file for each message)`],
    ["Data", o.config.databaseUrl === undefined ? o.config.dataDir : "in the Postgres of DATABASE_URL"],
    ["Open", openTo(o.config.host)],
    ...(o.logFile === undefined ? [] : [["Log", o.logFile] as const]),
    ["Stop", "Ctrl-C"],
  ];
  return [
    `Rialto is ready on ${url}`,
    "",
    ...facts.map(([name, value]) => `  ${name.padEnd(6)} ${value}`),
    "",
    "Your first order, from another terminal. It is PENDING, and CONFIRMED a moment later; then there is a mail about it:",
    "",
    ...firstOrder(url, folder).map((line) => `  ${line}`),
    "",
  ].join("\n");
}

/** Says who can reach the system. */
function openTo(host: string | undefined): string {
  if (host === "127.0.0.1" || host === "::1") return "to this machine only (RIALTO_HOST=0.0.0.0 opens it to others)";
  return host === undefined || host === "0.0.0.0" || host === "::"
    ? "to all who can reach this machine"
    : `to all who can reach ${host}`;
}

/**
 * Without a notice, the admin has another address than the configured one, or another process is creating the account.
 */
function adminOf([notice]: readonly StartupNotice[]): string {
  return notice === undefined ? "an account that another start created" : startupNoticeText(notice);
}

/** The commands of a first order, one per line, with curl, grep and cut only. */
function firstOrder(url: string, mailFolder: string | undefined): readonly string[] {
  const json = "-H 'content-type: application/json'";
  const bearer = '-H "authorization: Bearer $TOKEN"';
  const ada = '"email": "ada@example.com", "password": "a long enough password"';
  const pick = (field: string) => `grep -o '"${field}":"[^"]*"' | head -n 1 | cut -d'"' -f4`;
  const order =
    '{\\"items\\": [{\\"productId\\": \\"$PRODUCT\\", \\"quantity\\": 1}], \\"paymentMethod\\": \\"pm_test_approved\\"}';
  return [
    `RIALTO=${url}`,
    `curl -s $RIALTO/api/users ${json} -d '{"name": "Ada", ${ada}}'`,
    `TOKEN=$(curl -s $RIALTO/api/auth/login ${json} -d '{${ada}}' | ${pick("accessToken")})`,
    `PRODUCT=$(curl -s "$RIALTO/api/products?pageSize=1" | ${pick("id")})`,
    `ORDER=$(curl -s $RIALTO/api/orders ${json} ${bearer} -d "${order}" | ${pick("id")})`,
    `curl -s $RIALTO/api/orders/$ORDER ${bearer}`,
    ...(mailFolder === undefined ? [] : [`cat $(grep -l "$ORDER" ${shellWord(mailFolder)}/*.eml)`]),
  ];
}

/** Quotes a path for a shell. */
function shellWord(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
