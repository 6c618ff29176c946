import { customCleanEnv } from "envalid";
import type { Kind } from "./kinds.ts";

/** The environment is not valid. `lines` has one line for each variable: its name and its rule. */
export class ConfigurationError extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.name = "ConfigurationError";
    this.lines = lines;
  }
}

/** An environment variable that a service or every process declares. */
export interface Variable<T> {
  readonly name: string;
  readonly kind: Kind<unknown>;
  /** The value in a process where the variable is not set. */
  defaultIn(process: ProcessFacts): T;
  /** What applies without the variable, in words: the README's column. */
  readonly without: string;
  /**
   * Returns the rule that the value violates in production, or undefined. The value may be the default; `given` returns
   * the text of any variable that is set.
   */
  refuse?(value: T, given: Given): string | undefined;
}

/** The environment variables of a service, by the name of the field that holds the value. */
export type Variables = Readonly<Record<string, Variable<unknown>>>;

/** The values of declared variables. */
export type Values<V extends Variables> = { readonly [K in keyof V]: V[K] extends Variable<infer T> ? T : never };

/** What a default may depend on. */
export interface ProcessFacts {
  readonly production: boolean;
  readonly port: number | undefined;
}

type Given = (name: string) => string | undefined;

/**
 * Declares an environment variable. Without a default its value may be undefined, and `without` says in words what
 * applies then.
 *
 *     smtpUrl: variable("SMTP_URL", urlOf("smtp:", "smtps:"), { without: "`.eml` files in the data folder" })
 */
export function variable<T, const D extends T | undefined = undefined>(
  name: string,
  kind: Kind<T>,
  o: {
    readonly default?: D;
    /** Computes the default, where it depends on the process. */
    defaultIn?(process: ProcessFacts): D;
    /** May be left out where `default` says it all. */
    readonly without?: string;
    refuse?(value: T | D, given: Given): string | undefined;
  },
): Variable<T | D> {
  const { default: constant, defaultIn, without = `\`${constant}\``, refuse } = o;
  return {
    name,
    kind,
    // Without a default D is undefined.
    defaultIn: (process) => defaultIn?.(process) ?? (constant as D),
    without,
    ...(refuse === undefined ? {} : { refuse }),
  };
}

/** The variables that are set. An empty one counts as not set. */
export type Environment = ReadonlyMap<string, string>;

/**
 * Reads declared variables. `faults` has a line for each value that violates its rule; the default stands in for it.
 */
export function readVariables<V extends Variables>(
  variables: V,
  environment: Environment,
  process: ProcessFacts,
): { readonly values: Values<V>; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const specs = Object.fromEntries(Object.values(variables).map(({ name, kind }) => [name, kind]));
  // envalid's own accessors throw at the first faulty variable. Reading the plain values reports all of them.
  const read = customCleanEnv(Object.fromEntries(environment), specs, (values) => values, {
    reporter({ errors }: { readonly errors: Readonly<Record<string, Error | undefined>> }) {
      for (const [name, error] of Object.entries(errors)) faults.push(`${name} ${error?.message ?? "is not valid"}`);
    },
  });
  const found: Readonly<Record<string, unknown>> = Object.fromEntries(Object.entries(read));
  const values = Object.entries(variables).map(([field, { name, defaultIn }]) => [
    field,
    found[name] ?? defaultIn(process),
  ]);
  // Each value is of its variable's kind or is its default.
  return { values: Object.fromEntries(values) as Values<V>, faults };
}

/** Returns one line for each variable whose value production refuses. */
export function refusedInProduction<V extends Variables>(
  variables: V,
  values: Values<V>,
  environment: Environment,
): readonly string[] {
  return Object.entries(variables).flatMap(([field, variable]) => {
    const why = variable.refuse?.(values[field], (name) => environment.get(name));
    return why === undefined ? [] : [`${variable.name} ${why} (NODE_ENV is production)`];
  });
}
