import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type AttackPlan, type AttackTotals, seedAccounts } from "./attack-plan.ts";
import { runCustomer } from "./customer.ts";
import { type Row, resultTable } from "./result-table.ts";
import { type Processes, type System, startSystem } from "./system.ts";

export interface OverloadOptions {
  readonly seconds: number;
  readonly accounts: number;
  readonly addresses: number;
  readonly processes: readonly Processes[];
  readonly env: NodeJS.ProcessEnv;
  readonly print: (line: string) => void;
}

/** The attack starts before the customer's requests and ends after them by this margin. */
const marginMs = 2_000;
/** An attacker that does not end by then is killed. */
const attackEndMsMax = 15_000;

/** Runs all attacks. Returns true if a single attacking address caused no refusal for the customer. */
export async function runOverload(o: OverloadOptions): Promise<boolean> {
  const rows: Row[] = [];
  for (const processes of o.processes) {
    const attacks = o.addresses > 1 ? [1, o.addresses] : [1];
    for (const addresses of attacks) {
      o.print(`${processes} process(es), ${addresses} attacking address(es)`);
      // Each attack gets its own system, because limits last for minutes.
      const system = await startSystem(processes, o.env);
      try {
        rows.push(await runOnce(system, { ...o, addresses, label: processes }));
      } finally {
        await system.stop();
      }
    }
  }
  o.print(resultTable(rows));
  return rows.every(({ addresses, attacked }) => addresses > 1 || attacked.refused.length === 0);
}

async function runOnce(
  system: System,
  o: Pick<OverloadOptions, "seconds" | "accounts" | "print"> & {
    readonly addresses: number;
    readonly label: Processes;
  },
): Promise<Row> {
  const { url } = system;
  o.print(`  seeding ${o.addresses * o.accounts} accounts`);
  const attackers = await seedAccounts(url, { addresses: o.addresses, accounts: o.accounts });
  o.print(`  quiet, ${o.seconds} s`);
  const quiet = await runCustomer(url, { seconds: o.seconds, address: "198.51.100.1", name: "quiet" });
  o.print(`  attacked, ${o.seconds} s`);
  const attack = startAttack({ url, attackers, ms: o.seconds * 1_000 + 2 * marginMs });
  await new Promise((resolve) => setTimeout(resolve, marginMs));
  const attacked = await runCustomer(url, { seconds: o.seconds, address: "198.51.100.2", name: "attacked" });
  const totals = await attack.ended();
  for (const refusal of attacked.refused) o.print(`  refused: ${refusal}`);
  o.print(`  attacker: ${JSON.stringify(totals)}`);
  return { processes: o.label, addresses: o.addresses, quiet, attacked, totals, died: system.ended() };
}

/** Runs the attack in its own process, so that it does not affect the measured times. */
function startAttack(plan: AttackPlan): { ended(): Promise<AttackTotals | undefined> } {
  const child: ChildProcess = fork(new URL("./attacker.ts", import.meta.url));
  let totals: AttackTotals | undefined;
  child.on("message", (message) => {
    // The only message that it sends.
    totals = message as AttackTotals;
  });
  child.send(plan);
  const exited = once(child, "exit");
  const late = setTimeout(() => child.kill("SIGKILL"), plan.ms + attackEndMsMax);
  return {
    async ended() {
      await exited;
      clearTimeout(late);
      return totals;
    },
  };
}
