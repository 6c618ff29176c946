import { Command, Option } from "commander";
import { restartRolling } from "./rolling-restart.ts";

const whole = (text: string) => Number.parseInt(text, 10);

const command = new Command("rolling")
  .description(
    "Restarts every process of two replicas of each service and two gateways, one after the other, while orders come in",
  )
  .addOption(new Option("--drain <seconds>", "RIALTO_DRAIN_SECONDS of each process").argParser(whole).default(5))
  .addOption(new Option("--customers <number>", "who order at the same time").argParser(whole).default(16))
  .addOption(new Option("--rate <number>", "orders a second; half of the peak, measured first").argParser(whole))
  .addOption(new Option("--seconds <number>", "how long orders come in at least").argParser(whole).default(60))
  .action(async ({ drain, customers, rate, seconds }: Readonly<Record<string, number>>) => {
    const report = (line: string) => void process.stdout.write(`${line}\n`);
    const result = await restartRolling({
      drainSeconds: drain ?? 0,
      customers: customers ?? 0,
      perSecond: rate,
      seconds: seconds ?? 0,
      report,
    });
    const { failed, exits, ...counts } = result;
    for (const line of failed.slice(0, 20)) report(line);
    report(JSON.stringify({ ...counts, failed: failed.length, badExits: exits.filter(({ code }) => code !== 0) }));
    const { accepted } = counts;
    const others = [counts.stored, counts.confirmed, counts.authorizations, counts.authorizedOrders, counts.reserved];
    const isGood = failed.length === 0 && exits.every(({ code }) => code === 0) && others.every((n) => n === accepted);
    report(isGood ? "no call failed, no order was lost or doubled" : "NOT GOOD");
    process.exitCode = isGood ? 0 : 1;
  });

await command.parseAsync();
