/** A series of a process as its admin port shows it. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads all series from the URL of a process' metrics. Rejects where it does not answer. */
export async function readSeries(url: string): Promise<readonly Series[]> {
  const text = await (await fetch(url)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const [, name = "", labels = "", value = ""] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? [];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = "", text = ""]) => [label, text]);
    return { name, labels: Object.fromEntries(pairs), value: Number(value) };
  });
}

/** The sum of the series of a metric that have these labels. */
export function sumOf(series: readonly Series[], name: string, labels: Readonly<Record<string, string>> = {}): number {
  return seriesOf(series, name, labels).reduce((sum, { value }) => sum + value, 0);
}

/** The series of a metric that have these labels. */
export function seriesOf(
  series: readonly Series[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): readonly Series[] {
  return series.filter((one) => one.name === name && Object.keys(labels).every((l) => one.labels[l] === labels[l]));
}
