/** A parsed path of google.api.http. */
export interface PathTemplate {
  /** The text of a literal segment, null for a variable. */
  readonly segments: readonly (string | null)[];
  /** The field path of each variable, in the order of segments: "id", "user.id". */
  readonly variables: readonly string[];
  /** The text after the last colon, "cancel"; empty if there is none. */
  readonly verb: string;
}

/**
 * Parses the path of one route: literal segments, variables of one segment, and custom verbs. Throws for the rest of
 * google.api.http ("*", "**", "{name=shelves/*}"), so that no template is half understood.
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
