import { homedir } from "node:os";
import { join } from "node:path";
import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ClosableTransport } from "@rialto/connect";
import { createTransport } from "@rialto/connect";
import { TraceSchema } from "@rialto/contracts";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { call } from "./call.ts";
import { exitCodes } from "./exit-codes.ts";
import { findMethod } from "./find-method.ts";
import { findTraces } from "./find-traces.ts";
import { ask, askSecret, readInput } from "./input.ts";
import { reportFailure } from "./report-failure.ts";
import { accessToken, logIn, logOut } from "./session.ts";
import { readSessions } from "./session-file.ts";
import { traceText } from "./trace-text.ts";

// An operator's commands that go through the gateway, as a person with an account. `npm run rialto -- help` lists them.
const timeoutSecondsDefault = 30;
const urlDefault = "http://localhost:8080";

interface GatewayOptions {
  readonly url?: string;
  readonly session: string;
}
interface CallOptions extends GatewayOptions {
  readonly json: boolean;
  readonly key?: string;
  readonly timeout: number;
}
interface TracesOptions extends GatewayOptions {
  readonly json: boolean;
  readonly timeout: number;
}

const program = new Command("rialto")
  .description("Call a running Rialto through its gateway.")
  .addHelpText(
    "after",
    `
Exit codes: 0 done, 1 a defect of this command, ${exitCodes.usage} wrong arguments, ${exitCodes.notLoggedIn} not logged in,
${exitCodes.refused} refused, ${exitCodes.tryAgain} unavailable or too late (try again), ${exitCodes.failed} the service failed.`,
  )
  .exitOverride();

gatewayCommand("login", "Open a session, and keep it in a file that only you can read.")
  .option("--email <address>", "of the account; asked for, if left out")
  .addHelpText("after", "\nThe password is asked for, or read from standard input where that is no terminal.")
  .action(async ({ url = urlDefault, session: file, email: given }: GatewayOptions & { email?: string }) => {
    await withTransport(url, async (transport) => {
      const email = given ?? (await ask("E-mail address: "));
      await logIn(transport, { file, url, email, password: await askSecret("Password: ") });
      say(`Logged in at ${url} as ${email}. The session is kept in ${file}.`);
    });
  });

gatewayCommand("logout", "End the session, and remove it from the file.").action(async (o: GatewayOptions) => {
  const url = await gatewayOf(o);
  await withTransport(url, (transport) => logOut(transport, o.session, url));
});

gatewayCommand("call", "Call a method, and print its response as JSON.")
  .argument("<method>", "the full name: rialto.order.v1.OrderService/GetOrder")
  .argument("[request]", "the request as JSON; - reads it from standard input", "{}")
  .option("--json", "print each response, and an error, as one line of JSON", false)
  .option("--key <key>", "an idempotency key: the call may be repeated with it")
  .option("--timeout <seconds>", "how long the call may take", secondsOf, timeoutSecondsDefault)
  .action(async (name: string, given: string, o: CallOptions) => {
    const url = await gatewayOf(o);
    const timeoutMs = o.timeout * 1_000;
    await withTransport(url, async (transport) => {
      const found = await findMethod(transport, name, timeoutMs);
      if (found.source === "contract")
        process.stderr.write(`${url} serves no reflection: the method is called as this version's contract has it\n`);
      const isVisible = given !== "-";
      const json = isVisible ? given : await readInput();
      const token = await accessToken(transport, o.session, url);
      const input = { json, isVisible, accessToken: token, idempotencyKey: o.key, timeoutMs };
      for await (const response of call(transport, found, input))
        say(JSON.stringify(response, undefined, o.json ? undefined : 2));
    });
  });

gatewayCommand("traces", "Print what was done for an order or a request, as a development system keeps it.")
  .argument("<id>", "of an order, of a request (x-request-id) or of a trace")
  .option("--json", "print each trace, and an error, as one line of JSON", false)
  .option("--timeout <seconds>", "how long each call may take", secondsOf, timeoutSecondsDefault)
  .addHelpText("after", "\nAn order's traces are those of its whole life, by their start. An admin's login is needed.")
  .action(async (id: string, o: TracesOptions) => {
    const url = await gatewayOf(o);
    await withTransport(url, async (transport) => {
      const token = await accessToken(transport, o.session, url);
      const traces = await findTraces(transport, id, { accessToken: token, timeoutMs: o.timeout * 1_000 });
      if (o.json) for (const trace of traces) say(JSON.stringify(toJson(TraceSchema, trace)));
      else say(traces.map(traceText).join("\n\n"));
    });
  });

await run();

function gatewayCommand(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option("--url <url>", `the gateway's; that of the last login, or ${urlDefault}`, urlOf)
    .option("--session <file>", "where sessions are kept", join(homedir(), ".config", "rialto", "sessions.json"));
}

/** Returns the gateway that is meant: the given one, or that of the last login. */
async function gatewayOf({ url, session }: GatewayOptions): Promise<string> {
  return url ?? [...(await readSessions(session)).keys()].at(-1) ?? urlDefault;
}

async function withTransport(url: string, work: (transport: ClosableTransport) => Promise<void>): Promise<void> {
  const transport = createTransport({ baseUrl: url, protocol: "grpc", httpVersion: "2" });
  try {
    await work(transport);
  } catch (error) {
    throw namingGateway(error, url);
  } finally {
    await transport.close();
  }
}

/** Says which gateway was not reached, where that is what failed: which one is meant may come from the last login. */
function namingGateway(error: unknown, url: string): unknown {
  if (!(error instanceof ConnectError)) return error;
  const why = /\b(?:connect|getaddrinfo) E[A-Z_]+ [^\s)]+/.exec(error.rawMessage)?.[0];
  return why === undefined ? error : new ConnectError(`no gateway answers at ${url}: ${why}`, Code.Unavailable);
}

async function run(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    // It printed its message, or the help, by itself.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
      return;
    }
    const { text, json, exitCode } = reportFailure(error);
    process.stderr.write(`${process.argv.includes("--json") ? JSON.stringify({ error: json }) : text}\n`);
    process.exitCode = exitCode;
  }
}

function urlOf(text: string): string {
  if (!URL.canParse(text) || !/^https?:\/\//.test(text))
    throw new InvalidArgumentError("write it as https://shop.example");
  const { origin, username, password } = new URL(text);
  if (username !== "" || password !== "") throw new InvalidArgumentError("a URL holds no password here: log in");
  return origin;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 3_600)) throw new InvalidArgumentError("write it in seconds, up to 3600");
  return seconds;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
