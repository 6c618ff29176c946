import {
  backendAddresses,
  emailAddress,
  oneOf,
  privateKey,
  publicKeys,
  text,
  textOf,
  type Values,
  variable,
} from "@rialto/service/config";

const adminEmailDefault = "admin@rialto.example";
const passwordLengthMin = 12;
const passwordCharactersMin = 6;
/** Passwords that appear in this repository, so they are known to everyone. */
const knownPasswords: ReadonlySet<string> = new Set(["rialto-on-my-machine", "a long enough password"]);

/** What the user service reads from the environment, beside what every process does. */
export const userVariables = {
  adminEmail: variable("RIALTO_ADMIN_EMAIL", emailAddress, { default: adminEmailDefault }),
  adminPassword: variable("RIALTO_ADMIN_PASSWORD", textOf(8, 128), {
    without: "a random password, printed once; production needs a given one until there is an admin",
    refuse: (password, given) =>
      isWeak(password, given("RIALTO_ADMIN_EMAIL") ?? adminEmailDefault)
        ? `must be ${passwordLengthMin} characters or more, ${passwordCharactersMin} of them different, not the address of the account, and none from Rialto's own documents`
        : undefined,
  }),
  signingKey: variable("RIALTO_SIGNING_KEY", privateKey, {
    without: "created in the data folder",
    refuse: (key, given) =>
      key === undefined && given("RIALTO_SIGNING_KEY_FILE") === undefined
        ? "must be set: the private key of access tokens, as a JSON Web Key; or RIALTO_SIGNING_KEY_FILE, a file of such keys"
        : undefined,
  }),
  signingPublicKeys: variable("RIALTO_SIGNING_PUBLIC_KEYS", publicKeys, { without: "none" }),
  signingKeyFile: variable("RIALTO_SIGNING_KEY_FILE", text, { without: "none" }),
  backendAddresses,
  argon2Cost: variable("RIALTO_ARGON2_COST", oneOf("default", "test"), {
    default: "default",
    refuse: (cost) => (cost === "test" ? "must not be test in production" : undefined),
  }),
};

export type UserConfig = Values<typeof userVariables>;

function isWeak(password: string | undefined, email: string): boolean {
  if (password === undefined) return false;
  const lowercase = password.toLowerCase();
  return (
    password.length < passwordLengthMin ||
    new Set(lowercase).size < passwordCharactersMin ||
    knownPasswords.has(lowercase) ||
    lowercase.includes(email.toLowerCase())
  );
}
