/** The state of the admin account after a start, for the person who started it. */
export type StartupNotice =
  /** It was created. Without `password` it has the configured one. */
  | { readonly kind: "admin-created"; readonly email: string; readonly password: string | undefined }
  /** It existed and was not changed. `hasConfiguredPassword` is undefined if none is configured. */
  | { readonly kind: "admin-kept"; readonly email: string; readonly hasConfiguredPassword: boolean | undefined }
  /** A customer has the address, so none was created. */
  | { readonly kind: "admin-address-taken"; readonly email: string };

const howToChangeIt = "to set another, ask for a mail by POST /api/auth/password-reset";

/** Returns one line: the account, and what is known of its password. */
export function startupNoticeText(notice: StartupNotice): string {
  const { email } = notice;
  switch (notice.kind) {
    case "admin-created":
      return notice.password === undefined
        ? `${email}, password as in RIALTO_ADMIN_PASSWORD`
        : `${email}, password ${notice.password} (shown only this once)`;
    case "admin-kept":
      if (notice.hasConfiguredPassword === undefined)
        return `${email}, from an earlier start, with the password that it has had since (${howToChangeIt})`;
      return notice.hasConfiguredPassword
        ? `${email}, password as in RIALTO_ADMIN_PASSWORD`
        : `${email}, from an earlier start, keeps its own password, not the one in RIALTO_ADMIN_PASSWORD (${howToChangeIt})`;
    case "admin-address-taken":
      return `none was made: ${email} belongs to a customer. Set RIALTO_ADMIN_EMAIL to another address`;
  }
}
