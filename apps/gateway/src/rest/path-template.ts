/** A path of google.api.http, taken apart. */
export interface PathTemplate {
  /** Text for a literal segment, null for a variable. */
  readonly segments: readonly (string | null)[];
  /** The field path of each variable, in the order of their segments: "id", "user.id". */
  readonly variables: readonly string[];
  /** What follows the last colon, "cancel"; empty where there is none. */
  readonly verb: string;
}

/**
 * Reads the template of one route. The contract uses literal segments, variables of one segment and custom verbs; what
 * google.api.http has beyond that ("*", "**", "{name=shelves/*}") is refused, so that it cannot be half understood.
 */
export function parsePathTemplate(template: string): PathTemplate {
  const [, path, verb = ""] = /^\/(.*?)(?::([A-Za-z][A-Za-z0-9_]*))?$/.exec(template) ?? [];
  if (!path) throw new Error(`${template} is not a path: it must begin with "/" and name something`);
  const variables: string[] = [];
  const segments = path.split("/").map((segment) => {
    const variable = /^\{([a-z0-9_.]+)(?:=\*)?\}$/.exec(segment)?.[1];
    if (variable !== undefined) {
      variables.push(variable);
      return null;
    }
    if (!/^[A-Za-z0-9._~-]+$/.test(segment))
      throw new Error(`${template}: "${segment}" is a kind of segment that is not supported`);
    return segment;
  });
  return { segments, variables, verb };
}
